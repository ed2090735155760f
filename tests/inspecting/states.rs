//! Each state of a table is told with its reason, since when, and the next command.

use dmslake::inspect::{self, State, TableStatus};
use dmslake::maintenance::Action;

use crate::support::other_writer::Shop;

async fn status(shop: &Shop) -> TableStatus {
    let pipeline = shop.pipeline().await;
    inspect::status(&pipeline, &pipeline.settings().tables[0].clone()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_state_tells_what_to_type_next() {
    let shop = Shop::with("");
    std::fs::create_dir_all(shop.folder.path().join("staging")).unwrap();
    let absent = status(&shop).await;
    assert_eq!((absent.state, absent.version, absent.next), (State::Absent, None, None));

    shop.stage("LOAD00000001.csv", "1,one\n2,two\n");
    let behind = status(&shop).await;
    assert_eq!((behind.state, behind.pending.objects), (State::Behind, 1));
    assert_eq!(behind.next.as_deref(), Some("dmslake apply --table shop.items"));
    assert_eq!(behind.since, behind.pending.oldest);

    shop.apply().await;
    let ok = status(&shop).await;
    assert_eq!((ok.state, ok.rows, ok.next, ok.reason), (State::Ok, 2, None, None));
    assert_eq!(ok.last_commit.as_ref().unwrap().writer, "dmslake");
    assert_eq!(ok.protocol.unwrap().writer, 2);

    let pipeline = shop.pipeline().await;
    let spec = pipeline.settings().tables[0].clone();
    pipeline.pause(&spec, Some("because")).await.unwrap();
    shop.change("I,3,three\n");
    let paused = status(&shop).await;
    assert_eq!((paused.state, paused.pending.objects), (State::Paused, 1));
    assert_eq!(paused.next.as_deref(), Some("dmslake resume shop.items"));
    assert!(paused.since.is_some() && paused.reason.unwrap().contains("because"));
    pipeline.resume(&spec, dmslake::pipeline::Losses::Refused).await.unwrap();
    shop.apply().await;

    // A late object.
    shop.stage("20230101-000000001.csv", "U,1,late\n");
    let held = status(&shop).await;
    assert_eq!((held.state, &held.late[..]), (State::Held, &["20230101-000000001.csv".into()][..]));
    assert_eq!(held.next.as_deref(), Some("dmslake rebuild shop.items"));
    let staged = held.since.expect("when it was staged");
    shop.apply().await;
    let met = status(&shop).await.since.expect("when it was met");
    assert!(met >= staged, "a run has met it");

    // Nothing was changed by looking.
    let version = shop.version();
    status(&shop).await;
    assert_eq!(shop.version(), version);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_maintenance_would_do_is_what_it_does() {
    let shop = Shop::loaded("merge = \"deletion-vectors\"").await;
    for round in 0..12 {
        shop.change(&format!("I,{},new\nU,1,round {round}\n", 10 + round));
        shop.apply().await;
    }
    let due = status(&shop).await.maintenance;
    let report = shop.maintain().await;
    for due in &due {
        let done = report.actions.iter().find(|it| it.action == due.action);
        let done = done.unwrap_or_else(|| panic!("{due:?} {report:?}"));
        // Every other one is a commit more since the newest checkpoint.
        assert!(done.reason == due.reason || due.action == Action::Checkpoint, "{report:?}");
    }
    assert!(due.len() > 1, "{due:?}");
    assert_eq!(status(&shop).await.maintenance, Vec::new());
}
