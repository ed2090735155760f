//! Remedies of a refused configuration: the change that the message asks for is made, and the
//! configuration is accepted.

use dmslake::config::Settings;
use dmslake::config::load::parse;

const TOP: &str = "staging = \"s3://staging\"\nlake = \"s3://lake\"\n";
const KEYED: &str = "[[table]]\nsource = \"s.t\"\nkeys = [\"id\"]\n";

/// A refused configuration, and the change that the message asks for.
struct Case {
    /// The text after staging and lake.
    text: &'static str,
    /// Words of the message, including the remedy.
    told: &'static str,
    /// The old text and its replacement.
    remedy: (&'static str, &'static str),
}

const fn case(
    text: &'static str,
    told: &'static str,
    remedy: (&'static str, &'static str),
) -> Case {
    Case { text, told, remedy }
}

const NO_KEYS: &str = "[[table]]\nsource = \"s.t\"\n";
const MISSPELLED: &str = "[[table]]\nsource = \"s.t\"\nkey = [\"id\"]\n";
const TABLES: &str = "[[tables]]\nsource = \"s.t\"\nkeys = [\"id\"]\n";
const NOT_NULL: &str = "[[table]]\nsource = \"s.t\"\nkeys = [\"id\"]\n\
    columns = [{ name = \"id\", type = \"int not null\" }]\n";
const SPACE: &str = "[[table]]\nsource = \"s.t\"\nkeys = [\"id\"]\ncolumns = [\
    { name = \"id\", type = \"int\" }, { name = \"a b\", type = \"int\" }]\n";
const SPACE_TAKEN: &str = "[[table]]\nsource = \"s.t\"\nkeys = [\"id\"]\ncolumns = [\
    { name = \"id\", type = \"int\" }, { name = \"a b\", type = \"int\" }, \
    { name = \"A_B\", type = \"int\" }]\n";
const KEY_CASE: &str = "[[table]]\nsource = \"s.t\"\nkeys = [\"ID\"]\n\
    columns = [{ name = \"id\", type = \"int\" }]\n";
const MANIFEST: &str = "[[table]]\nsource = \"s.t\"\nkeys = [\"id\"]\nredshift_manifest = true\n\
    merge = \"auto\"\n";
const QUOTE: &str =
    "[dms]\ncsv_delimiter = \"'\\\"'\"\n[[table]]\nsource = \"s.t\"\nkeys = [\"id\"]\n";
const STORE: &str = "[dms]\ntimestamp_column_name = \"dms ts\"\n[[table]]\nsource = \"s.t\"\n\
    keys = [\"id\"]\nstore = [\"dms ts\"]\n";
const BOOLEAN: &str = "[[table]]\nsource = \"s.t\"\nkeys = [\"id\"]\n\
    columns = [{ name = \"id\", type = \"int\", boolean = true }]\n";
const DOTTED: &str = "[[table]]\nsource = \"shop\"\nkeys = [\"id\"]\n";
const PREFIX: &str =
    "[catalog]\ndatabase_prefix = \"Lake-\"\n[[table]]\nsource = \"s.t\"\nkeys = [\"id\"]\n";

const CASES: &[Case] = &[
    case(NO_KEYS, "append_only = true", ("source", "append_only = true\nsource")),
    case(NO_KEYS, "the key columns' names", ("source", "keys = [\"id\"]\nsource")),
    case(MISSPELLED, "did you mean keys?", ("key =", "keys =")),
    case(TABLES, "did you mean table?", ("[[tables]]", "[[table]]")),
    case(NOT_NULL, "nullable = false", (" not null\"", "\", nullable = false")),
    case(
        SPACE,
        "rename = { \"a b\" = \"a_b\" }",
        ("columns", "rename = { \"a b\" = \"a_b\" }\ncolumns"),
    ),
    // The obvious name is already used by another column.
    case(
        SPACE_TAKEN,
        "rename = { \"a b\" = \"a_b_\" }",
        ("columns", "rename = { \"a b\" = \"a_b_\" }\ncolumns"),
    ),
    case(KEY_CASE, "is spelled \"id\" in columns", ("\"ID\"", "\"id\"")),
    case(MANIFEST, "only with merge = \"copy-on-write\"", ("\"auto\"", "\"copy-on-write\"")),
    case(QUOTE, "rfc_4180 = false", ("[dms]", "[dms]\nrfc_4180 = false")),
    case(
        STORE,
        "rename = { \"dms ts\" = \"dms_ts\" }",
        ("store", "rename = { \"dms ts\" = \"dms_ts\" }\nstore"),
    ),
    case(BOOLEAN, "true only for tinyint", ("\"int\"", "\"tinyint(1)\"")),
    case(DOTTED, "\"schema.table\"", ("\"shop\"", "\"shop.t\"")),
    case(DOTTED, "{ schema = ", ("\"shop\"", "{ schema = \"my.shop\", table = \"t\" }")),
    case(PREFIX, "lower-case letters, digits and _", ("Lake-", "lake_")),
];

fn accepted(text: &str) -> Settings {
    parse(&format!("{TOP}{text}")).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

fn refused(text: &str) -> String {
    parse(&format!("{TOP}{text}")).expect_err(text).message().to_owned()
}

#[test]
fn what_a_refusal_says_is_accepted() {
    for Case { text, told, remedy: (old, new) } in CASES {
        let message = refused(text);
        assert!(message.contains(told), "{told}\nin {message}");
        let beside = message.lines().filter(|line| !line.contains(told));
        assert!(beside.clone().all(|line| line.contains("is missing")), "one fault: {message}");
        let fixed = text.replacen(old, new, 1);
        assert_ne!(*text, fixed);
        accepted(&fixed);
    }
}

/// A column that is spelled in several ways, or was renamed at the source more than once: each
/// refusal names one more spelling, and all of them together are accepted.
#[test]
fn every_spelling_of_a_column_may_go_on_under_the_first_one() {
    let layout = |from: &str, name: &str| {
        format!(
            "[[table.layout]]\nfrom = \"{from}\"\ncolumns = [{{ name = \"id\", type = \"int\" }}, \
             {{ name = \"{name}\", type = \"text\" }}]\n"
        )
    };
    let table = |renames: &[String]| {
        let renames = renames.join(", ");
        let columns = "columns = [{ name = \"id\", type = \"int\" }, \
                       { name = \"größe\", type = \"text\" }]\n";
        let later = [layout("20260101-000000000", "Größe"), layout("20260102-000000000", "GRÖSSE")];
        format!("{KEYED}rename = {{ {renames} }}\n{columns}{}", later.concat())
            .replace("GRÖSSE", "GRÖßE")
    };
    let mut renames: Vec<String> = Vec::new();
    while let Err(error) = parse(&format!("{TOP}{}", table(&renames))) {
        let (_, rest) = error.message().split_once("rename = { ").expect("a remedy");
        let (rename, _) = rest.split_once(" }").expect("a table");
        renames.push(rename.to_owned());
        assert!(renames.len() < 4, "{renames:?}\n{error}");
    }
    assert_eq!(renames, ["\"Größe\" = \"größe\"", "\"GRÖßE\" = \"größe\""]);
    let settings = accepted(&table(&renames));
    let spec = &settings.tables[0];
    assert_eq!((spec.lake_name("Größe"), spec.lake_name("GRÖßE")), ("größe", "größe"));
    // But not if one object had two of them.
    let both = format!(
        "{KEYED}rename = {{ a = \"x\", b = \"x\" }}\ncolumns = [{{ name = \"id\", type = \"int\" }}, \
         {{ name = \"a\", type = \"int\" }}, {{ name = \"b\", type = \"int\" }}]\n"
    );
    assert!(refused(&both).contains("would both be \"x\""));
}

/// Follows the messages about colliding names until no names collide.
#[test]
fn names_that_meet_are_told_apart_one_by_one() {
    let sources = ["order-items", "order_items", "Order Items", "订单", "商品", "order_items_2"];
    let mut names = vec![String::new(); sources.len()];
    for round in 0.. {
        let mut text = format!("{TOP}[catalog]\nglue = true\n[defaults]\nkeys = [\"id\"]\n");
        for (source, name) in sources.iter().zip(&names) {
            text.extend(["[[table]]\nsource = \"shop.", source, "\"\n", name, "\n"]);
        }
        let Err(error) = parse(&text) else { return };
        assert!(round < sources.len(), "{error}");
        let line = error.message().lines().next().expect("a line");
        let position = line.strip_prefix("table[").and_then(|rest| rest.split_once(']'));
        let position: usize = position.expect("a table").0.parse().expect("a number");
        let (_, name) = line.split_once("such as ").expect("a proposal");
        name.clone_into(&mut names[position]);
    }
}
