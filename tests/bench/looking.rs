//! The commands that look: the status of many tables where each request takes a while, the life of
//! a row in a long history, and whether that table is what its source is.

mod long_history;
mod many_tables;
mod source;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dmslake::clock::SystemClock;
use dmslake::config::Settings;
use dmslake::pipeline::Pipeline;
use dmslake::storage::Location;
use tokio::runtime::Runtime;

use crate::hooked_store::{Counting, HookedStore, Requests};
use crate::report::Report;

const PART: &str = "looking";
/// What each request takes longer.
const DELAY: Duration = Duration::from_millis(30);

pub(crate) fn measure(folder: &Path, report: &mut Report) {
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async {
        Box::pin(many_tables::measure(&folder.join("status"), report)).await;
        Box::pin(long_history::measure(&folder.join("life"), report)).await;
    });
}

async fn pipeline(settings: &Arc<Settings>, slow: Option<&Requests>) -> Pipeline {
    let open = async |folder: &str| {
        let location = Location::open(folder).await.expect("a folder");
        match slow {
            None => location,
            Some(requests) => location.map_store(|store| {
                Arc::new(HookedStore::new(store, Counting::new(requests, DELAY)))
            }),
        }
    };
    let (staging, lake) = (open(&settings.staging).await, open(&settings.lake).await);
    Pipeline::new(Arc::clone(settings), staging, lake, Arc::new(SystemClock))
}
