//! What Terraform knows of the program is what the program knows.

use std::path::Path;

use dmslake::config::load;
use dmslake::dms::S3Settings;

/// The names in a list of `s3_members` in infra/pipeline.tf.
fn members(kind: &str) -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("infra/pipeline.tf");
    let text = std::fs::read_to_string(file).unwrap();
    let (_, lists) = text.split_once("s3_members = {").expect("the lists");
    let (_, list) = lists.split_once(&format!("    {kind} = [")).expect("a list");
    let (list, _) = list.split_once(']').expect("its end");
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

fn loads(member: &str) -> Result<(), String> {
    let text = format!(
        "staging = \"staging\"\nlake = \"lake\"\n[dms]\n{member}\n[[table]]\nsource = \"shop.t\"\n\
         keys = [\"id\"]\n"
    );
    load::parse(&text).map(|_| ()).map_err(|error| error.chain())
}

#[test]
fn settings_of_an_endpoint_are_those_that_the_configuration_takes() {
    let mut known = Vec::new();
    for (kind, value, other) in
        [("flag", "true", "\"neither\""), ("number", "10", "\"ten\""), ("text", "\"A\"", "true")]
    {
        for name in members(kind) {
            assert_eq!(loads(&format!("{name} = {value}")), Ok(()), "{kind} {name}");
            assert!(loads(&format!("{name} = {other}")).is_err(), "{name} is of another kind");
            known.push(name);
        }
    }
    // Those that change what is read: none is missing.
    let read = serde_json::to_value(S3Settings::default()).unwrap();
    let read = read.as_object().unwrap().keys().filter(|name| !name.ends_with("_stated"));
    for name in read {
        assert!(known.contains(name), "Terraform does not know {name}");
    }
    assert!(loads("csv_delimeter = \"A\"").is_err());
}
