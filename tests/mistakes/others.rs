//! What other writers do to the rows of a table.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use deltalake::protocol::SaveMode;
use dmslake::storage::StoreKind;

use async_trait::async_trait;
use dmslake::maintenance::{Action, Outcome};
use dmslake::pipeline::{Limits, Losses, Status};
use object_store::path::Path;

use super::site::Site;
use crate::support::hooked_store::{Hooks, Operation};

async fn loaded(extra: &str) -> Site {
    let site = Site { extra: extra.into(), ..Site::on(StoreKind::S3) };
    site.stage("LOAD00000001.csv", &["1,a", "2,b"]).await;
    site.expect_ok(&["1=a", "2=b"]).await;
    site.stage(&site.change(10), &["U,1,c", "I,3,d"]).await;
    site.expect_ok(&["1=c", "2=b", "3=d"]).await;
    site
}

#[tokio::test]
async fn a_restore_of_another_writer_holds_until_it_is_undone() {
    let site = loaded("").await;
    let ours = site.delta().await.version().unwrap();
    site.delta().await.restore().with_version_to_restore(ours - 1).await.unwrap();
    let remedy = format!("dmslake restore shop.t --version {ours}");
    let held = site.expect_held(&["put back older rows", "RESTORE in version", &remedy]).await;
    assert_eq!(held.foreign_commits.len(), 1, "{held:?}");
    site.stage(&site.change(20), &["U,2,e"]).await;
    site.expect_held(&["put back older rows"]).await;
    site.delta().await.restore().with_version_to_restore(ours).await.unwrap();
    site.expect_ok(&["1=c", "2=e", "3=d"]).await;
}

/// What was put back may be put back again, by its own version.
#[tokio::test]
async fn a_restore_of_a_restore_is_what_the_first_one_was() {
    let site = loaded("").await;
    let ours = site.delta().await.version().unwrap();
    let restore = async |version| {
        site.delta().await.restore().with_version_to_restore(version).await.unwrap();
    };
    restore(ours - 1).await;
    site.delta().await.optimize().await.unwrap();
    restore(ours).await;
    site.expect_ok(&["1=c", "2=b", "3=d"]).await;
    restore(ours + 1).await;
    site.expect_held(&["put back older rows", "RESTORE in version"]).await;
    restore(ours + 2).await;
    site.expect_ok(&["1=c", "2=b", "3=d"]).await;
}

#[tokio::test]
async fn the_other_remedy_of_a_restore_is_the_table_anew() {
    let site = loaded("").await;
    let ours = site.delta().await.version().unwrap();
    site.delta().await.restore().with_version_to_restore(ours - 1).await.unwrap();
    site.expect_held(&["dmslake rebuild shop.t"]).await;
    site.rebuild(Losses::Refused).await.unwrap();
    site.expect_ok(&["1=c", "2=b", "3=d"]).await;
}

#[tokio::test]
async fn rows_that_others_change_are_told_once_and_the_table_goes_on() {
    let site = loaded("").await;
    site.delta().await.delete().with_predicate("id = 2").await.unwrap();
    site.delta().await.optimize().await.unwrap();
    for _ in 0..2 {
        let report = site.expect_ok(&["1=c", "3=d"]).await;
        let named: Vec<String> = report.foreign_commits.iter().map(ToString::to_string).collect();
        assert_eq!(named, ["DELETE in version 3"], "a compaction changes no row");
    }
    site.stage(&site.change(20), &["U,3,e"]).await;
    let report = site.expect_ok(&["1=c", "3=e"]).await;
    assert_eq!(report.foreign_commits.len(), 1);
    assert!(site.expect_ok(&["1=c", "3=e"]).await.foreign_commits.is_empty());
}

#[tokio::test]
async fn rows_that_others_change_hold_a_table_that_is_configured_so() {
    let site = loaded("on_foreign_commit = \"hold\"").await;
    let ours = site.delta().await.version().unwrap();
    let table = site.delta().await;
    let batch = overwrite();
    table.write([batch]).with_save_mode(SaveMode::Overwrite).await.unwrap();
    let remedy = format!("dmslake restore shop.t --version {ours}");
    site.expect_held(&["another writer has changed rows", "WRITE in version", &remedy]).await;
    site.delta().await.restore().with_version_to_restore(ours).await.unwrap();
    site.expect_ok(&["1=c", "2=b", "3=d"]).await;

    site.delta().await.delete().with_predicate("id = 2").await.unwrap();
    site.expect_held(&["DELETE in version", "on_foreign_commit = \"report\""]).await;
    let site = Site { extra: String::new(), ..site };
    site.stage(&site.change(20), &["U,3,e"]).await;
    site.expect_ok(&["1=c", "3=e"]).await;
    let site = Site { extra: "on_foreign_commit = \"hold\"".into(), ..site };
    site.expect_ok(&["1=c", "3=e"]).await;
}

fn overwrite() -> arrow::record_batch::RecordBatch {
    use arrow::array::{ArrayRef, Int32Array, StringArray};
    let ids: ArrayRef = Arc::new(Int32Array::from(vec![9]));
    let values: ArrayRef = Arc::new(StringArray::from(vec!["overwritten"]));
    let sequences: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>]));
    let columns = [("id", ids), ("v", values), ("_cdc_seq", sequences)];
    arrow::record_batch::RecordBatch::try_from_iter(columns).unwrap()
}

/// What another writer does.
#[derive(Debug)]
enum Rival {
    /// Puts back this version.
    Restores(u64),
    /// Deletes a row.
    Deletes,
}

/// Loses the answer of one commit, and has another writer commit before the log is asked for it.
#[derive(Debug)]
struct LostBelow {
    site: Site,
    /// Whose answer is lost.
    commit: u64,
    rival: Rival,
    step: AtomicU8,
}

impl LostBelow {
    fn new(site: &Site, commit: u64, rival: Rival) -> Self {
        Self { site: site.clone(), commit, rival, step: AtomicU8::new(0) }
    }
}

#[async_trait]
impl Hooks for LostBelow {
    /// Whether the answer is lost.
    type Ticket = bool;

    async fn before(&self, operation: Operation, path: &Path) -> object_store::Result<bool> {
        let log = format!("_delta_log/{:020}.json", self.commit);
        let is_commit = operation == Operation::Put && path.as_ref().ends_with(&log);
        if is_commit && self.step.swap(1, Ordering::SeqCst) == 0 {
            return Ok(true);
        }
        if self.step.compare_exchange(1, 2, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            let table = self.site.delta().await;
            match self.rival {
                Rival::Restores(version) => {
                    table.restore().with_version_to_restore(version).await.unwrap();
                }
                Rival::Deletes => {
                    table.delete().with_predicate("id = 2").await.unwrap();
                }
            }
        }
        Ok(false)
    }

    fn after(&self, is_lost: bool, _succeeded: bool) -> object_store::Result<()> {
        if is_lost {
            let source = "the answer is lost".into();
            return Err(object_store::Error::Generic { store: "hooked", source });
        }
        Ok(())
    }
}

/// The next slice is not applied onto what another writer did on top of a commit of ours, also
/// where the answer of that commit was lost.
#[tokio::test]
async fn a_restore_behind_a_lost_answer_holds_before_the_next_slice() {
    let site = Site::on(StoreKind::S3);
    site.stage("LOAD00000001.csv", &["1,a", "2,b"]).await;
    site.stage(&site.change(10), &["U,1,c"]).await;
    let hooked = site.through(LostBelow::new(&site, 1, Rival::Restores(0)));
    let held =
        hooked.expect_held(&["put back older rows", "dmslake restore shop.t --version 1"]).await;
    assert_eq!((held.objects, held.counts.inserted, held.version), (1, 2, Some(2)), "{held:?}");
    hooked.delta().await.restore().with_version_to_restore(1).await.unwrap();
    hooked.expect_ok(&["1=c", "2=b"]).await;
}

/// A commit of maintenance would hide what holds the table.
#[tokio::test]
async fn maintenance_commits_nothing_on_top_of_a_restore() {
    let site = loaded("merge = \"deletion-vectors\"").await;
    let ours = site.delta().await.version().unwrap();
    let site = Site { extra: String::new(), ..site };
    site.delta().await.restore().with_version_to_restore(ours - 1).await.unwrap();
    let restored = site.delta().await.version().unwrap();
    let pipeline = site.pipeline();
    let report = pipeline.maintain(&pipeline.settings().tables[0], &Limits::default()).await;
    assert_eq!((report.status, report.version), (Status::Ok, Some(restored)), "{report:?}");
    let skipped = report.actions.iter().filter(|action| action.outcome == Outcome::Skipped);
    let skipped: Vec<Action> = skipped.map(|action| action.action).collect();
    assert!(skipped.contains(&Action::Lower), "{report:?}");
    site.expect_held(&["put back older rows"]).await;
    site.delta().await.restore().with_version_to_restore(ours).await.unwrap();
    site.expect_ok(&["1=c", "2=b", "3=d"]).await;
}

/// What maintenance did is told, also where another writer came on top before its answer.
#[tokio::test]
async fn a_lowering_below_another_commit_is_done() {
    let site = loaded("merge = \"deletion-vectors\"").await;
    let ours = site.delta().await.version().unwrap();
    let site = Site { extra: String::new(), ..site };
    // Its files are purged of masked rows first.
    let pipeline = site.through(LostBelow::new(&site, ours + 2, Rival::Deletes)).pipeline();
    let report = pipeline.maintain(&pipeline.settings().tables[0], &Limits::default()).await;
    assert_eq!((report.status, report.version), (Status::Ok, Some(ours + 3)), "{report:?}");
    let lowered = report.actions.iter().find(|action| action.action == Action::Lower);
    assert_eq!(lowered.map(|action| action.outcome), Some(Outcome::Done), "{report:?}");
    site.expect_ok(&["1=c", "3=d"]).await;
}
