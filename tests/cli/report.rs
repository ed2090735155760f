//! `dmslake report`: a page that stands by itself and says what the other commands say.

use serde_json::Value;

use super::looking::shop;
use super::{read, run, write};

#[test]
fn the_page_needs_no_network_and_says_what_status_and_history_say() {
    let home = shop();
    let staged = home.path().join("staging/shop/items/20260301-081700000.csv");
    write(&staged, "I,2026-03-01 08:16:01.000000,4,a <b>\n");
    let said = run(home.path(), &["report", "--html", "lake.html"]);
    assert_eq!(said.code, Some(1), "one table is behind: {said:?}");
    let page = read(&home.path().join("lake.html"));
    for outside in ["http://", "https://", "<script", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    let status = run(home.path(), &["status", "--json"]);
    let status: Value = serde_json::from_str(status.out.trim()).expect("one line of JSON");
    let told = [
        status["reason"].as_str().unwrap().to_owned(),
        status["next"].as_str().unwrap().to_owned(),
        "shop.items".to_owned(),
        "behind".to_owned(),
        // What somebody hears who does not see the chart, and who sees it with a pointer.
        "Rows inserted, updated and deleted by each commit from version 2 to 3".to_owned(),
        "version 3: 1 inserted, 1 deleted".to_owned(),
        "lang=\"en\"".to_owned(),
    ];
    for text in told {
        assert!(page.contains(&text), "{text}");
    }
    let commits = run(home.path(), &["history", "shop.items"]).out.lines().count() - 1;
    let rows = page.split("aria-label=\"Commits\"").nth(1).expect("a table of commits");
    let rows = rows.split("</table>").next().expect("it ends");
    assert_eq!(rows.matches("<tr>").count() - 1, commits);
    let nowhere = run(home.path(), &["report", "--html", "no/folder/lake.html"]);
    assert!(nowhere.code == Some(2) && nowhere.err.contains("no/folder/lake.html"), "{nowhere:?}");
}
