//! Objects in which most rows are bad.

use dmslake::pipeline::Status;

use super::site::Site;

fn object(bad: usize, good: usize) -> Vec<String> {
    let bad = (0..bad).map(|_| "zqz,y".to_owned());
    bad.chain((0..good).map(|at| format!("{},v", at + 1))).collect()
}

async fn stage(site: &Site, bad: usize, good: usize) {
    let rows = object(bad, good);
    site.stage("LOAD00000001.csv", &rows.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn an_object_of_bad_rows_is_held_and_not_set_aside() {
    let site = Site::with("on_bad_row = \"quarantine\"");
    stage(&site, 2_000, 0).await;
    let held =
        site.expect_held(&["2000 of 2000 rows", "row: 1", "column: id", "max_bad_rows"]).await;
    assert_eq!((held.counts.quarantined, held.in_quarantine, held.pending), (0, 0, 1), "{held:?}");
    assert!(!held.error.unwrap().contains("zq"), "a value of a row is told");
    let site =
        Site { extra: "on_bad_row = \"quarantine\"\nmax_bad_rows = { share = 1 }".into(), ..site };
    let report = site.apply().await;
    assert_eq!((report.status, report.counts.quarantined), (Status::Ok, 2_000), "{report:?}");
}

#[tokio::test]
async fn a_few_bad_rows_go_on_and_are_told_in_every_report() {
    let site = Site::with("on_bad_row = \"quarantine\"");
    stage(&site, 9, 0).await;
    let report = site.apply().await;
    assert_eq!(
        (report.status, report.counts.quarantined, report.in_quarantine),
        (Status::Ok, 9, 9)
    );
    let again = site.apply().await;
    assert_eq!((again.status, again.counts.quarantined, again.in_quarantine), (Status::Ok, 0, 9));
}

#[tokio::test]
async fn count_and_share_hold_each_by_itself() {
    for (bad, good, setting, is_held) in [
        (10, 10, "", false),
        (11, 10, "", true),
        (11, 10, "max_bad_rows = { share = 0.6 }", false),
        (3, 100, "max_bad_rows = { count = 2 }", true),
        (3, 100, "max_bad_rows = { count = 3 }", false),
        (10, 95, "max_bad_rows = { share = 0.05 }", true),
    ] {
        let site = Site::with(&format!("on_bad_row = \"quarantine\"\n{setting}"));
        stage(&site, bad, good).await;
        let report = site.apply().await;
        let expected = if is_held { Status::Held } else { Status::Ok };
        assert_eq!(report.status, expected, "{bad} {good} {setting}: {report:?}");
    }
}

#[tokio::test]
async fn a_held_object_does_not_take_those_before_it_along() {
    let site = Site::with("on_bad_row = \"quarantine\"");
    site.stage("LOAD00000001.csv", &["1,a"]).await;
    let bad: Vec<String> = (0..20).map(|_| "I,x,y".to_owned()).collect();
    site.stage(&site.change(10), &bad.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let held = site.expect_held(&["20 of 20 rows"]).await;
    assert_eq!((held.objects, held.pending), (1, 1), "{held:?}");
    assert_eq!(site.rows().await, ["1=a"]);
}
