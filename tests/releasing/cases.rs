//! Single cases: what a release does, and what it refuses.

use dmslake::pipeline::{ChosenRows, Limits, Losses, Release, RowFate};
use dmslake::storage::StoreKind;

use super::site::{Now, Site, all, delete, insert, moved, one, update};

const UNGUARDED: &str = "guard = \"off\"";

/// Both formats, guarded and not.
fn sites() -> Vec<Site> {
    let ways = [(false, UNGUARDED), (true, UNGUARDED), (false, ""), (true, "")];
    ways.map(|(is_parquet, guard)| Site::new(is_parquet, StoreKind::S3, guard)).into()
}

#[tokio::test]
async fn all_rows_come_back_once_the_configuration_is_fixed_and_all_is_staged() {
    for mut site in sites() {
        site.stage(true, vec![insert(1, "a", None), insert(2, "b", Some(2)), insert(3, "c", None)])
            .await;
        site.stage(false, vec![update(1, "newer", Some(1)), update(2, "bad", None)]).await;
        site.stage(false, vec![moved(3, 4, "moved", None), delete(1), insert(5, "e", None)]).await;
        site.apply_ok().await;
        assert_eq!(site.waiting(), 5);
        let untouched = site.release(&all(None)).await;
        assert_eq!((untouched.count(RowFate::Undecodable), untouched.version), (5, None));
        assert!(untouched.rows.iter().all(|it| it.row.column.as_deref() == Some("n")));
        site.is_fixed = true;
        let released = site.release(&all(None)).await;
        assert_eq!((released.left(), released.waiting), (5, 0), "{released:?}");
        // The first row of the load is older than the update and the delete of its key; the third one
        // is not, and moves on.
        assert_eq!(released.count(RowFate::Superseded), 1, "{released:?}");
        let counts = released.counts;
        assert_eq!((counts.inserted, counts.updated, counts.deleted), (2, 1, 0), "{counts:?}");
        assert_eq!((counts.superseded, counts.ignored, counts.rows), (2, 1, 6), "{counts:?}");
        site.check("released").await;
        assert_eq!(site.rows().await, ["2=bad/NULL", "4=moved/NULL", "5=e/NULL"]);
        let again = site.release(&all(None)).await;
        assert_eq!((again.rows.len(), again.version), (0, None));
        site.apply_ok().await;
    }
}

#[tokio::test]
async fn what_cannot_be_told_waits_unless_an_operator_says_so() {
    for is_parquet in [false, true] {
        let mut site = Site::new(is_parquet, StoreKind::S3, UNGUARDED);
        site.stage(true, vec![insert(1, "a", Some(1))]).await;
        let bad = site.stage(false, vec![update(1, "bad", None)]).await;
        site.apply_ok().await;
        let newer = site.stage(false, vec![update(1, "newer", Some(7))]).await;
        site.apply_ok().await;
        site.expire(&newer).await;
        let plan = site.release(&one(&bad, 1, Some(5))).await;
        assert_eq!((plan.count(RowFate::Untold), plan.waiting), (1, 1), "{plan:?}");
        let reason = plan.rows[0].reason.clone().unwrap();
        assert!(reason.contains(&newer) && reason.contains("no longer staged"), "{reason}");
        site.check("untold").await;
        let over = Release { over: true, ..one(&bad, 1, Some(5)) };
        let pipeline = site.pipeline();
        let spec = &pipeline.settings().tables[0];
        let planned = pipeline.plan_release(spec, &over).await.unwrap();
        assert_eq!((planned.count(RowFate::Applied), planned.version), (1, None));
        assert_eq!(site.rows().await, ["1=newer/7"], "a plan changes nothing");
        let released = pipeline.release(spec, &over, &Limits::default()).await.unwrap();
        assert_eq!((released.left(), released.waiting), (1, 0));
        assert_eq!(site.rows().await, ["1=bad/5"]);
    }
}

#[tokio::test]
async fn a_guarded_table_needs_no_staged_object() {
    for is_parquet in [false, true] {
        let mut site = Site::new(is_parquet, StoreKind::S3, "");
        let mut names = vec![site.stage(true, vec![insert(1, "a", Some(1))]).await];
        // The first changes after a load may be older than it.
        names.push(site.stage(false, vec![update(1, "b", Some(2))]).await);
        site.apply_ok().await;
        names.push(site.stage(false, vec![update(1, "bad", None), insert(2, "bad", None)]).await);
        names
            .push(site.stage(false, vec![update(1, "newer", Some(7)), insert(3, "c", None)]).await);
        names.push(site.stage(false, vec![delete(3)]).await);
        site.apply_ok().await;
        for name in &names {
            site.expire(name).await;
        }
        let released = site.release(&all(Some(9))).await;
        assert_eq!((released.left(), released.waiting), (3, 0), "{released:?}");
        assert_eq!((released.counts.superseded, released.counts.inserted), (2, 1));
        site.check("guarded").await;
        assert_eq!(site.rows().await, ["1=newer/7", "2=bad/9"]);
    }
}

#[tokio::test]
async fn discarded_rows_are_given_up_and_that_is_remembered() {
    let mut site = Site::new(false, StoreKind::S3, UNGUARDED);
    site.stage(true, vec![insert(1, "a", Some(1))]).await;
    let first = site.stage(false, vec![update(1, "bad", None), insert(2, "bad", None)]).await;
    let second = site.stage(false, vec![insert(3, "bad", None)]).await;
    site.apply_ok().await;
    let pipeline = site.pipeline();
    let spec = &pipeline.settings().tables[0];
    let rows = ChosenRows::OfObject(first.clone());
    let given_up = pipeline.discard_quarantined(spec, &rows).await.unwrap();
    assert_eq!(given_up.len(), 2);
    for row in 1..=2 {
        *site.now(&first, row) = Now::Discarded;
    }
    site.check("discarded").await;
    assert_eq!(site.standing().await, 1);
    let state = pipeline.state_object(&spec.source).unwrap().read().await.unwrap().unwrap();
    assert_eq!(state.losses()[0].first, format!("2 rows in quarantine of {first}"));
    let again = pipeline.discard_quarantined(spec, &rows).await.unwrap();
    assert!(again.is_empty());
    let released = site.release(&all(Some(3))).await;
    assert_eq!((released.left(), released.rows[0].row.object.clone()), (1, second));
    site.check("the other one is released").await;
    site.apply_ok().await;
}

#[tokio::test]
async fn a_rebuild_names_the_repairs_that_it_does_not_know() {
    let mut site = Site::new(false, StoreKind::S3, UNGUARDED);
    site.stage(true, vec![insert(1, "a", Some(1))]).await;
    let bad = site.stage(false, vec![update(1, "bad", None), insert(2, "b", Some(2))]).await;
    site.apply_ok().await;
    let pipeline = site.pipeline();
    let spec = pipeline.settings().tables[0].clone();
    assert!(pipeline.plan_rebuild(&spec).await.unwrap().lost.is_empty());
    site.release(&all(Some(5))).await;
    let plan = pipeline.plan_rebuild(&spec).await.unwrap();
    assert_eq!(plan.lost.len(), 1, "{plan:?}");
    assert!(plan.lost[0].contains(&format!("row 1 of {bad}")), "{plan:?}");
    assert!(pipeline.begin_rebuild(&spec, &plan, Losses::Refused).await.is_err());
    pipeline.begin_rebuild(&spec, &plan, Losses::Accepted).await.unwrap();
    let refused = pipeline.release(&spec, &all(Some(5)), &Limits::default()).await.unwrap_err();
    assert!(refused.chain().contains("being rebuilt"), "{}", refused.chain());
    *site.now(&bad, 1) = Now::Waits;
    site.apply_ok().await;
    site.check("the row waits again").await;
    assert_eq!(site.standing().await, 1);
    assert!(pipeline.plan_rebuild(&spec).await.unwrap().lost.is_empty(), "it is told once");
    site.release(&all(Some(6))).await;
    site.check("released again").await;
}

#[tokio::test]
async fn a_paused_table_takes_nothing_back() {
    let mut site = Site::new(false, StoreKind::S3, UNGUARDED);
    site.stage(true, vec![insert(1, "a", None)]).await;
    site.apply_ok().await;
    let pipeline = site.pipeline();
    let spec = &pipeline.settings().tables[0];
    pipeline.pause(spec, None).await.unwrap();
    let refused = pipeline.release(spec, &all(Some(1)), &Limits::default()).await.unwrap_err();
    assert!(refused.chain().contains("paused"), "{}", refused.chain());
    pipeline.resume(spec, Losses::Refused).await.unwrap();
    site.release(&all(Some(1))).await;
    site.check("resumed").await;
}

#[tokio::test]
async fn an_earlier_version_names_what_was_released_since() {
    let mut site = Site::new(false, StoreKind::S3, UNGUARDED);
    site.stage(true, vec![insert(1, "a", Some(1)), insert(2, "b", None)]).await;
    site.apply_ok().await;
    let pipeline = site.pipeline();
    let spec = &pipeline.settings().tables[0];
    site.release(&all(Some(2))).await;
    let to = dmslake::table::AsOf::Version(1);
    let progress = dmslake::pipeline::Progress::GoesBack;
    let plan = pipeline.plan_restore(spec, to, progress).await.unwrap();
    assert!(plan.lost.iter().any(|lost| lost.starts_with("1 rows that have been released")));
}

#[tokio::test]
async fn without_a_table_there_is_no_quarantine() {
    let mut site = Site::new(false, StoreKind::S3, UNGUARDED);
    let pipeline = site.pipeline();
    let spec = &pipeline.settings().tables[0];
    assert_eq!(pipeline.quarantine(spec).await.unwrap(), None);
    let refused = pipeline.release(spec, &all(Some(1)), &Limits::default()).await.unwrap_err();
    assert!(refused.chain().contains("there is no table"), "{}", refused.chain());
    site.stage(true, vec![insert(1, "a", None)]).await;
    site.apply_ok().await;
    site.release(&all(Some(1))).await;
    site.check("released").await;
}

#[tokio::test]
async fn a_table_that_was_loaded_again_releases_nothing() {
    let mut site = Site::new(false, StoreKind::S3, UNGUARDED);
    site.stage(true, vec![insert(1, "a", None), insert(2, "b", Some(2))]).await;
    site.stage(false, vec![update(2, "b", Some(3))]).await;
    site.apply_ok().await;
    // The same object again, with another content.
    let again = site.objects.remove(0).name;
    let later = site.objects.remove(0).name;
    site.expire(&later).await;
    site.stage(true, vec![insert(1, "new", None), insert(2, "new", Some(5))]).await;
    assert_eq!(site.objects[0].name, again);
    let pipeline = site.pipeline();
    let spec = &pipeline.settings().tables[0];
    let refused = pipeline.release(spec, &all(Some(1)), &Limits::default()).await.unwrap_err();
    assert!(refused.chain().contains("loaded the table again"), "{}", refused.chain());
    // The next change shows that the load is complete.
    site.stage(false, vec![insert(3, "c", Some(3))]).await;
    let report = site.apply().await;
    assert_eq!(report.in_quarantine, 1, "{report:?}");
    site.check("loaded again").await;
    let found = pipeline.quarantine(spec).await.unwrap().unwrap();
    assert_eq!((found.rows.len(), found.uncounted.len()), (2, 1), "{found:?}");
    let released = site.release(&all(Some(1))).await;
    assert_eq!((released.left(), released.count(RowFate::Uncounted)), (1, 1), "{released:?}");
    site.check("released").await;
}

#[tokio::test]
async fn many_rows_are_released_in_several_commits() {
    let mut site = Site::new(false, StoreKind::S3, UNGUARDED);
    site.stage(true, (1..=1_500).map(|id| insert(id, "a", None)).collect()).await;
    site.apply_ok().await;
    site.stage(false, vec![delete(7)]).await;
    site.apply_ok().await;
    let released = site.release(&all(Some(1))).await;
    assert_eq!((released.left(), released.waiting), (1_500, 0));
    assert_eq!((released.counts.inserted, released.counts.superseded), (1_499, 1));
    site.check("released").await;
    assert_eq!(site.standing().await, 0);
}

#[tokio::test]
async fn quarantine_tables_are_maintained_with_their_tables() {
    let mut site = Site::new(false, StoreKind::S3, UNGUARDED);
    site.stage(true, vec![insert(1, "a", Some(1))]).await;
    for at in 0..12 {
        site.stage(false, vec![insert(at, "bad", None)]).await;
        site.apply_ok().await;
    }
    let pipeline = site.pipeline();
    let spec = &pipeline.settings().tables[0];
    let before = pipeline.quarantine(spec).await.unwrap().unwrap();
    let report = pipeline.maintain(spec, &Limits::default()).await;
    let aside: Vec<&str> =
        report.actions.iter().filter(|it| it.quarantine).map(|it| it.action.as_str()).collect();
    // Its small files go into the next one that is written.
    assert_eq!(aside, ["checkpoint"], "{report:?}");
    assert_eq!(pipeline.quarantine(spec).await.unwrap().unwrap(), before);
    let again = pipeline.maintain(spec, &Limits::default()).await;
    assert!(again.actions.iter().all(|it| !it.quarantine), "{again:?}");
    site.stage(false, vec![insert(50, "bad", None)]).await;
    site.apply_ok().await;
    let released = site.release(&all(Some(4))).await;
    assert_eq!(released.left(), 13);
    site.check("released").await;
    assert_eq!(site.standing().await, 0);
}
