//! Tables that would have one name in a catalogue, in every command that names them there.

use std::path::Path;

use dmslake::config::load;

use super::{run, write};

/// Two tables of one name, the latter perhaps with another one; each with a row in the lake.
fn shop(home: &Path, sources: [&str; 2], glue: bool, name: &str) -> String {
    let mut text = format!(
        "staging = \"staging\"\nlake = \"lake\"\n[catalog]\nglue = {glue}\n[defaults]\n\
         keys = [\"id\"]\ncolumns = [{{ name = \"id\", type = \"int\" }}]\n"
    );
    for (source, name) in sources.iter().zip(["", name]) {
        let (schema, table) = source.split_once('.').expect("both");
        write(&home.join(format!("staging/{schema}/{table}/LOAD00000001.csv")), "1\n");
        text.extend(["[[table]]\nsource = \"", source, "\"\n", name, "\n"]);
    }
    write(&home.join("dmslake.toml"), &text);
    text
}

/// The name that a refusal proposes.
fn proposed(refusal: &str) -> String {
    let (_, from) = refusal.split_once("such as ").expect(refusal);
    from.lines().next().expect("a line").trim().to_owned()
}

const MET: [[&str; 2]; 4] = [
    ["shop.order-items", "shop.order_items"],
    ["shop.Orders", "shop.orders"],
    ["商店.订单", "店铺.商品"],
    ["shop.größe", "shop.grüße"],
];

#[test]
fn one_name_is_refused_before_anything_is_said_and_what_is_proposed_is_accepted() {
    for sources in MET {
        let home = tempfile::tempdir().expect("a temporary folder");
        shop(home.path(), sources, false, "");
        let applied = run(home.path(), &["apply"]);
        assert_eq!(applied.code, Some(0), "names do not matter to rows: {applied:?}");
        for command in [&["ddl", "duckdb"][..], &["ddl", "spark", sources[0]], &["register"]] {
            let refused = run(home.path(), command);
            assert_eq!(refused.code, Some(2), "{sources:?} {refused:?}");
            assert!(refused.out.is_empty(), "{refused:?}");
            assert!(sources.iter().all(|source| refused.err.contains(source)), "{refused:?}");
        }
        let refused = run(home.path(), &["ddl", "duckdb"]);
        let name = proposed(&refused.err);
        shop(home.path(), sources, false, &name);
        let said = run(home.path(), &["ddl", "duckdb"]);
        assert_eq!(said.code, Some(0), "{name}: {said:?}");
        let views: Vec<&str> =
            said.out.lines().filter(|line| line.contains("CREATE OR REPLACE VIEW")).collect();
        assert_eq!(views.len(), 2, "{said:?}");
        assert_ne!(views[0], views[1], "{said:?}");

        let text = shop(home.path(), sources, true, "");
        let refused = load::parse(&text).expect_err("it would be written by itself");
        assert!(refused.message().contains("in catalogues, like"), "{refused}");
        load::parse(&shop(home.path(), sources, true, &name)).expect("the name is another one");
    }
}

#[test]
fn a_name_is_what_every_catalogue_allows() {
    let home = tempfile::tempdir().expect("a temporary folder");
    for (name, allowed) in [
        ("items", true),
        ("sales.items_2", true),
        ("Items", false),
        ("a.b.c", false),
        ("", false),
        ("größe", false),
    ] {
        let text = shop(home.path(), MET[0], true, &format!("name = \"{name}\""));
        assert_eq!(load::parse(&text).is_ok(), allowed, "{name}");
    }
    let long = format!("name = \"{}\"", "x".repeat(256));
    let refused = load::parse(&shop(home.path(), MET[0], true, &long)).expect_err("too long");
    assert!(refused.message().contains("at most 255 bytes"), "{refused}");
    let text = "staging = \"a\"\nlake = \"b\"\n[defaults]\nname = \"x\"\n[[table]]\n\
                source = \"s.t\"\nkeys = [\"id\"]";
    let refused = load::parse(text).expect_err("all would have it");
    assert!(refused.message().starts_with("defaults.name: a name belongs to one"), "{refused}");
}

/// Redshift's external tables stand in a database of AWS Glue of their own, from which a DROP
/// would take another table's entry.
#[test]
fn the_external_table_of_redshift_takes_no_other_tables_name() {
    let text = "staging = \"s3://a\"\nlake = \"s3://b\"\n[catalog]\nglue = true\n[defaults]\n\
                keys = [\"id\"]\n[[table]]\nsource = \"shop.orders\"\nredshift_manifest = true\n\
                [[table]]\nsource = \"shop_spectrum.orders\"\n";
    let refused = load::parse(text).expect_err("one name").message().to_owned();
    assert!(refused.contains("would be shop_spectrum.orders in catalogues"), "{refused}");
    let name = proposed(&refused);
    load::parse(&format!("{text}{name}\n")).expect(&name);
    load::parse(&text.replace("redshift_manifest = true", "")).expect("there is no such table");
}
