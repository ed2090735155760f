//! What other writers do to the rows of a table.

use std::sync::Arc;

use deltalake::protocol::SaveMode;
use dmslake::storage::StoreKind;

use super::site::Site;

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
    let remedy = format!("restore version {ours}");
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
    site.expect_held(&["move the table's folder away"]).await;
    site.move_away().await;
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
    let remedy = format!("restore version {ours}");
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
    arrow::record_batch::RecordBatch::try_from_iter([("id", ids), ("v", values)]).unwrap()
}
