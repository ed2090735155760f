//! The status of many tables with some commits and one pending object each.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use dmslake::clock::{Clock as _, SystemClock};
use dmslake::config::{Settings, load};
use dmslake::inspect::{self, State};
use dmslake::pipeline::{Limits, Scope, Silent};
use futures::{StreamExt as _, stream};

use super::{DELAY, PART, pipeline};
use crate::hooked_store::{Requests, in_sequence};
use crate::objects::{DELETION_VECTORS, Format, settings_text};
use crate::report::{Aim, Report, Wanted};
use crate::rows;

const TABLES: usize = 300;
/// Tables that are looked at side by side, as the command line does.
const AT_ONCE: usize = 64;
/// Commits of each table.
const COMMITS: u64 = 12;

pub(super) async fn measure(folder: &Path, report: &mut Report) {
    let names: Vec<String> = (0..TABLES).map(|at| format!("t{at:03}")).collect();
    let settings = Arc::new(settings_of(folder, &names));
    let put = |table: &str, name: &str, rows: &[rows::Row]| {
        let object = folder.join("staging/shop").join(table).join(name);
        fs::create_dir_all(object.parent().expect("a folder")).expect("created");
        fs::write(object, Format::Csv.bytes(rows)).expect("written");
    };
    let warm = pipeline(&settings, None).await;
    for (table, spec) in names.iter().zip(&settings.tables) {
        put(table, "LOAD00000001.csv", &rows::loaded(0, 50));
        for commit in 0..=COMMITS {
            let applied = warm.apply(spec, &Scope::Everything, &Limits::default(), &Silent).await;
            assert!(applied.is_caught_up(), "{applied:?}");
            let name = format!("20261103-1000{:05}.csv", commit * 1000);
            put(table, &name, &rows::changes(commit, 5, 50));
        }
    }
    let requests = Requests::default();
    let alone = pipeline(&settings, Some(&requests)).await;
    let begun = SystemClock.instant();
    inspect::status(&alone, &settings.tables[0]).await;
    let seconds = begun.elapsed().as_secs_f64();
    let asked = requests.take();
    for it in &asked {
        eprintln!("{it}");
    }
    report.line(
        &format!("status of one table, {} ms more per request", DELAY.as_millis()),
        &format!("{seconds:.2} s"),
        "",
        &format!("cold, {} requests, {} in sequence", asked.len(), in_sequence(&asked).len()),
        PART,
    );
    let cold = pipeline(&settings, Some(&requests)).await;
    let begun = SystemClock.instant();
    let looks = settings.tables.iter().map(|spec| inspect::status(&cold, spec));
    let seen: Vec<_> = stream::iter(looks).buffer_unordered(AT_ONCE).collect().await;
    let seconds = begun.elapsed().as_secs_f64();
    let behind = seen.iter().filter(|status| status.state == State::Behind);
    assert_eq!(behind.filter(|status| status.pending.objects == 1).count(), TABLES);
    let what = format!("status of {TABLES} tables, {} ms more per request", DELAY.as_millis());
    let detail = format!("cold, {} requests", requests.take().len());
    report.line(&what, &format!("{seconds:.2} s"), "", &detail, PART);
    report.aim(&Aim {
        what: format!("{what}, cold: seconds"),
        wanted: Wanted::AtMost(3.0),
        found: seconds,
    });
}

/// The settings of these tables, all with the columns of `shop.orders`.
fn settings_of(folder: &Path, names: &[String]) -> Settings {
    let (staging, lake) = (folder.join("staging"), folder.join("lake"));
    let text = settings_text(&staging, &lake, DELETION_VECTORS);
    let (head, table) = text.split_once("[[table]]").expect("one table");
    let each = names
        .iter()
        .map(|name| format!("[[table]]{}", table.replace("shop.orders", &format!("shop.{name}"))));
    let text = format!("{head}{}", each.collect::<Vec<_>>().join("\n"));
    load::parse(&text).unwrap_or_else(|error| panic!("{}", error.chain()))
}
