//! The status of many tables with some commits and one pending object each.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dmslake::clock::{Clock as _, SystemClock};
use dmslake::config::{Settings, load};
use dmslake::inspect::{self, State};
use dmslake::lambda::{Answer, Deadline, answer};
use dmslake::pipeline::{Limits, Pipeline, Scope, Silent};
use futures::{StreamExt as _, stream};
use serde_json::Value;

use super::{DELAY, PART, pipeline};
use crate::events::{queue, s3_notification};
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
    // Their pending objects by one batch of a queue, and the next ones by a function that is warm.
    let function = pipeline(&settings, Some(&requests)).await;
    for (state, number) in [("cold", COMMITS), ("warm", COMMITS + 1)] {
        let name = format!("20261103-1000{:05}.csv", number * 1000);
        if number > COMMITS {
            for table in &names {
                put(table, &name, &rows::changes(number, 5, 50));
            }
        }
        requests.take();
        let begun = SystemClock.instant();
        let answer = ring(&function, folder, &names, &name).await;
        let seconds = begun.elapsed().as_secs_f64();
        assert_eq!(answer, Answer::Queue { batch_item_failures: Vec::new() });
        let each = requests.take().len() as f64 / TABLES as f64;
        report.line(
            &format!("one batch of a queue for {TABLES} tables, one object each, {state}"),
            &format!("{seconds:.1} s"),
            "",
            &format!("{each:.1} requests for each; {} side by side", function.tables_at_once()),
            PART,
        );
    }
}

/// A batch of a queue with a message for an object of each table.
async fn ring(function: &Pipeline, folder: &Path, names: &[String], object: &str) -> Answer {
    let staging = folder.join("staging").canonicalize().expect("it exists");
    let root = staging.display().to_string();
    let notification = |table: &String| {
        s3_notification(&format!("{}/shop/{table}/{object}", root.trim_start_matches('/')))
    };
    let notifications: Vec<Value> = names.iter().map(notification).collect();
    let messages: Vec<(&str, &Value)> =
        names.iter().map(String::as_str).zip(&notifications).collect();
    let event = queue(&messages);
    let deadline = Deadline::after(Duration::from_mins(15), SystemClock.instant());
    answer(function, &event, deadline, &SystemClock).await.expect("a queue gets an answer")
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
