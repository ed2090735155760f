//! `dmslake apply` tells a person each thing once.

use super::{run, write};

const CONFIGURATION: &str = "\
staging = \"staging\"
lake = \"lake\"

[dms]
cdc_inserts_only = true

[defaults]
keys = [\"id\"]
columns = [{ name = \"id\", type = \"int\" }]

[[table]]
source = \"shop.orders\"

[[table]]
source = \"shop.customers\"
";

#[test]
fn an_error_a_foreign_object_and_a_warning_are_shown_once() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let folder = home.path().join("staging/shop");
    write(&home.path().join("dmslake.toml"), CONFIGURATION);
    write(&folder.join("orders/LOAD00000001.csv"), "1\nnone\n");
    write(&folder.join("customers/LOAD00000001.csv"), "1\n");
    write(&folder.join("customers/notes.txt"), "?");
    for arguments in [&["apply"][..], &["apply", "-v"]] {
        let held = run(home.path(), arguments);
        assert_eq!(held.code, Some(1), "{held:?}");
        let said = format!("{}{}", held.out, held.err);
        let reason = "is not a whole number";
        let reason = if said.contains(reason) { reason } else { "LOAD00000001.csv, row: 2" };
        for once in [reason, "notes.txt", "cdc_inserts_only"] {
            assert_eq!(said.matches(once).count(), 1, "{once} in {said}");
        }
    }
    let json = run(home.path(), &["apply", "--json"]);
    assert_eq!(json.out.matches("cdc_inserts_only").count(), 2, "for each table: {json:?}");
    assert_eq!(json.err.matches("cdc_inserts_only").count(), 1, "{json:?}");
}
