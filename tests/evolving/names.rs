//! A column gets another name, comes or goes; MySQL tells no names apart by letter case.

use super::site::{LOAD, Site, change, longs, words};

const KEYED: &str = "keys = [\"id\"]";
const V: &str = "binary v (UTF8)";
const W: &str = "binary w (UTF8)";

/// A table with the column `v`, and behind it an object with `w` in its place.
async fn renamed_at_the_source(table: &str) -> Site {
    let site = Site::with(table);
    site.stage(LOAD, None, &[("int64 id", longs(&[1, 2])), (V, words(&["a", "b"]))]).await;
    site.stage(&change(1), Some("I"), &[("int64 id", longs(&[3])), (V, words(&["c"]))]).await;
    site.ok().await;
    site.stage(&change(2), Some("U"), &[("int64 id", longs(&[1])), (W, words(&["d"]))]).await;
    site
}

#[tokio::test]
async fn a_renamed_column_moves_on_with_its_values() {
    let mut site = renamed_at_the_source(KEYED).await;
    site.table = format!("{KEYED}\nrenamed = {{ v = \"w\" }}");
    let report = site.ok().await;
    assert_eq!((report.added_columns.len(), report.gone_columns.len()), (0, 0), "{report:?}");
    assert_eq!(site.columns().await, ["id long", "w string"]);
    assert_eq!(site.rows().await, ["1|d", "2|b", "3|c"]);
    // A rebuild reads both names.
    site.rebuild().await;
    assert_eq!(site.columns().await, ["id long", "w string"]);
    assert_eq!(site.rows().await, ["1|d", "2|b", "3|c"]);
    // And once more.
    site.stage(
        &change(3),
        Some("U"),
        &[("int64 id", longs(&[2])), ("binary x (UTF8)", words(&["e"]))],
    )
    .await;
    site.table = format!("{KEYED}\nrenamed = {{ v = \"w\", w = \"x\" }}");
    site.ok().await;
    assert_eq!(site.columns().await, ["id long", "x string"]);
    assert_eq!(site.rows().await, ["1|d", "2|e", "3|c"]);
}

#[tokio::test]
async fn a_table_that_nothing_waits_for_follows_a_rename_too() {
    let mut site = Site::with(KEYED);
    site.stage(LOAD, None, &[("int64 id", longs(&[1])), (V, words(&["a"]))]).await;
    site.ok().await;
    site.table = format!("{KEYED}\nrenamed = {{ v = \"w\" }}");
    site.ok().await;
    assert_eq!(site.columns().await, ["id long", "w string"]);
    let version = site.version().await;
    site.ok().await;
    assert_eq!(site.version().await, version);
    // Old objects have the old name still.
    site.stage(&change(1), Some("U"), &[("int64 id", longs(&[1])), (V, words(&["b"]))]).await;
    site.ok().await;
    assert_eq!(site.rows().await, ["1|b"]);
}

#[tokio::test]
async fn a_renamed_key_moves_on() {
    let mut site = Site::with(KEYED);
    site.stage(LOAD, None, &[("int64 id", longs(&[1, 2])), (V, words(&["a", "b"]))]).await;
    site.ok().await;
    site.stage(&change(1), Some("U"), &[("int64 no", longs(&[1])), (V, words(&["c"]))]).await;
    site.held(&["lacks the key column `id`", "renamed = { \"id\" = "]).await;
    for keys in ["keys = [\"id\"]", "keys = [\"no\"]"] {
        site.table = format!("{keys}\nrenamed = {{ id = \"no\" }}");
        site.ok().await;
        assert_eq!(site.columns().await, ["no long", "v string"]);
        assert_eq!(site.rows().await, ["1|c", "2|b"]);
    }
    site.stage(&change(2), Some("D"), &[("int64 no", longs(&[2])), (V, words(&["b"]))]).await;
    site.ok().await;
    assert_eq!(site.rows().await, ["1|c"]);
}

/// What it remembers of deleted rows has the old name.
#[tokio::test]
async fn a_renamed_key_of_a_guarded_table_moves_on() {
    const SEQ: &str = "binary seq (UTF8)";
    let mut site = Site { dms: "change_seq_column = \"seq\"".into(), ..Site::with(KEYED) };
    let load = [("int64 id", longs(&[1, 2, 3])), (V, words(&["a", "b", "c"]))];
    site.stage(LOAD, None, &load).await;
    let delete = [("int64 id", longs(&[2])), (V, words(&["b"])), (SEQ, words(&["10"]))];
    site.stage(&change(1), Some("D"), &delete).await;
    site.ok().await;
    site.table = format!("{KEYED}\nrenamed = {{ id = \"no\" }}");
    let delete = [("int64 no", longs(&[3])), (V, words(&["c"])), (SEQ, words(&["30"]))];
    site.stage(&change(3), Some("D"), &delete).await;
    site.ok().await;
    assert_eq!(site.rows().await, ["1|a|-"]);
    // Written again by a resume: older than both deletes.
    let again =
        [("int64 no", longs(&[2, 3])), (V, words(&["b", "c"])), (SEQ, words(&["09", "11"]))];
    site.stage(&change(4), Some("I"), &again).await;
    let report = site.ok().await;
    assert_eq!((report.counts.superseded, site.rows().await), (2, vec!["1|a|-".to_owned()]));
}

/// It is not ours, and no sequences can be told from it.
#[tokio::test]
async fn a_foreign_column_of_sequences_holds_a_guarded_table() {
    let mut site = Site::with(KEYED);
    let load = [("int64 id", longs(&[1])), ("int64 _cdc_seq", longs(&[7]))];
    site.stage(LOAD, None, &load).await;
    site.ok().await;
    site.dms = "change_seq_column = \"seq\"".into();
    let insert = [("int64 id", longs(&[2])), ("binary seq (UTF8)", words(&["10"]))];
    site.stage(&change(1), Some("I"), &insert).await;
    site.held(&["`_cdc_seq` that does not hold change sequences", "guard = \"off\""]).await;
    site.table = format!("{KEYED}\nguard = \"off\"");
    site.ok().await;
    assert_eq!(site.rows().await, ["1|7", "2|-"]);
}

#[tokio::test]
async fn a_rename_that_is_not_configured_is_reported_as_added_and_gone() {
    let mut site = renamed_at_the_source(KEYED).await;
    let report = site.ok().await;
    assert_eq!(report.added_columns, ["w"]);
    assert_eq!(report.gone_columns, ["v"]);
    assert!(report.warnings[0].contains("renamed = { \"v\" = \"w\" }"), "{report:?}");
    assert_eq!(site.rows().await, ["1|-|d", "2|b|-", "3|c|-"]);
    // Too late for that alone: which values are the newer ones is no longer known.
    site.table = format!("{KEYED}\nrenamed = {{ v = \"w\" }}");
    site.held(&["has both `v` and `w`", "dmslake rebuild shop.t"]).await;
    let report = site.rebuild().await;
    assert!(report.is_caught_up(), "{report:?}");
    assert_eq!(site.columns().await, ["id long", "w string"]);
    assert_eq!(site.rows().await, ["1|d", "2|b", "3|c"]);
}

#[tokio::test]
async fn columns_that_come_or_go_hold_where_that_is_configured() {
    let mut site = renamed_at_the_source(&format!("{KEYED}\non_column_gone = \"hold\"")).await;
    site.held(&["no longer has the columns v", "renamed = { \"v\" = \"w\" }", "on_column_gone"])
        .await;
    site.table = format!("{KEYED}\non_column_gone = \"hold\"\nrenamed = {{ \"v\" = \"w\" }}");
    site.ok().await;
    assert_eq!(site.rows().await, ["1|d", "2|b", "3|c"]);
    let mut site = renamed_at_the_source(&format!("{KEYED}\non_column_added = \"hold\"")).await;
    site.held(&["columns that the table lacks: w", "on_column_added = \"add\""]).await;
    site.table = format!("{KEYED}\non_column_added = \"add\"");
    site.ok().await;
    assert_eq!(site.rows().await, ["1|-|d", "2|b|-", "3|c|-"]);
}

#[tokio::test]
async fn a_column_that_is_gone_is_dropped_where_that_is_configured() {
    let site = renamed_at_the_source(&format!("{KEYED}\non_column_gone = \"drop\"")).await;
    let report = site.ok().await;
    assert_eq!((report.added_columns, report.gone_columns.len()), (vec!["w".to_owned()], 0));
    assert_eq!(site.columns().await, ["id long", "w string"]);
    assert_eq!(site.rows().await, ["1|d", "2|-", "3|-"]);
    // Nor does a rebuild bring it back.
    let report = site.rebuild().await;
    assert!(report.is_caught_up(), "{report:?}");
    assert_eq!(site.columns().await, ["id long", "w string"]);
    assert_eq!(site.rows().await, ["1|d", "2|-", "3|-"]);
}

#[tokio::test]
async fn an_object_with_both_names_is_refused() {
    let site = Site::with(&format!("{KEYED}\nrenamed = {{ v = \"w\" }}"));
    let columns = [("int64 id", longs(&[1])), (V, words(&["a"])), (W, words(&["b"]))];
    site.stage(LOAD, None, &columns).await;
    site.held(&["has both `v` and `w`", "remove \"v\" from `renamed`"]).await;
    let site = Site { table: KEYED.into(), ..site };
    site.ok().await;
    assert_eq!(site.rows().await, ["1|a|b"]);
}

#[tokio::test]
async fn letter_case_tells_no_names_apart() {
    // The key is configured in another case than the objects have it, and the objects differ.
    let site = Site::with(KEYED);
    site.stage(LOAD, None, &[("int64 Id", longs(&[1])), ("binary Name (UTF8)", words(&["a"]))])
        .await;
    site.ok().await;
    let columns = [("int64 ID", longs(&[1])), ("binary NAME (UTF8)", words(&["b"]))];
    site.stage(&change(1), Some("U"), &columns).await;
    let report = site.ok().await;
    assert_eq!((report.added_columns.len(), report.gone_columns.len()), (0, 0), "{report:?}");
    assert_eq!(site.columns().await, ["Name string", "id long"]);
    assert_eq!(site.rows().await, ["1|b"]);
}
