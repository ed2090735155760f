//! `dmslake doctor`: each thing that can be wrong is planted and found, by the real command line; what
//! it says to do is done, and then it is fine. Of a healthy lake nothing is to be mended.

mod account;
mod commits;
mod settings;
mod shown;
mod stores;

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use dmslake::clock::{Clock as _, SystemClock};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::moto::Moto;

/// A folder with a configuration, and where its lake and its staging are.
struct Patient {
    folder: TempDir,
    environment: Vec<(&'static str, String)>,
}

const TABLE: &str = "[[table]]\nsource = \"shop.items\"\nkeys = [\"id\"]\ncolumns = [\n\
    { name = \"id\", type = \"int\" },\n{ name = \"name\", type = \"text\" },\n]\n";

impl Patient {
    /// On a disk, with a table `shop.items` and these lines before it.
    fn with(settings: &str) -> Self {
        let patient = Self { folder: TempDir::new().unwrap(), environment: Vec::new() };
        patient.configure(settings, TABLE);
        std::fs::create_dir_all(patient.path().join("staging")).unwrap();
        patient
    }

    /// The same, where a load and six change objects are applied.
    fn loaded(settings: &str) -> Self {
        let patient = Self::with(settings);
        patient.stage("shop/items/LOAD00000001.csv", "1,one\n2,two\n3,three\n");
        for minute in 1..=6 {
            let name = format!("shop/items/20260301-08{minute:02}00000.csv");
            patient.stage(&name, &format!("U,2,two-{minute}\n"));
        }
        patient.must("dmslake apply");
        patient
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn configure(&self, settings: &str, tables: &str) {
        let text = format!("staging = \"staging\"\nlake = \"lake\"\n{settings}\n{tables}");
        std::fs::write(self.path().join("dmslake.toml"), text).unwrap();
    }

    fn stage(&self, name: &str, content: &str) {
        let path = self.path().join("staging").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Lets a staged object be that old.
    fn age(&self, name: &str, age: Duration) {
        let object =
            std::fs::File::options().write(true).open(self.path().join("staging").join(name));
        let at = SystemClock.now() - age;
        object.unwrap().set_modified(at.into()).unwrap();
    }

    /// Runs a command of this program as a shell does.
    fn shell(&self, command: &str) -> Output {
        let program = env!("CARGO_BIN_EXE_dmslake");
        let mut shell = Command::new("sh");
        shell.args(["-c", &command.replace("dmslake ", &format!("{program} "))]);
        shell.current_dir(self.path()).env_remove("RUST_LOG");
        shell.envs(self.environment.clone()).output().unwrap()
    }

    fn must(&self, command: &str) {
        let output = self.shell(command);
        assert!(output.status.success(), "{command}: {output:?}");
    }

    /// What the doctor finds, and its exit code.
    fn examined(&self, arguments: &str) -> Examined {
        let output = self.shell(&format!("dmslake doctor --json {arguments}"));
        let text = String::from_utf8(output.stdout).unwrap();
        let findings: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!findings.is_empty(), "{errors}");
        let examined = Examined { code: output.status.code().unwrap(), findings };
        examined.check_form();
        examined
    }
}

/// What a doctor found.
#[derive(Debug)]
struct Examined {
    code: i32,
    findings: Vec<Value>,
}

impl Examined {
    /// What holds for all findings: their keys, their order, and that commands are commands.
    fn check_form(&self) {
        const ORDER: [&str; 6] = ["problem", "warning", "unknown", "note", "skipped", "ok"];
        let mut places = Vec::new();
        for finding in &self.findings {
            let keys: Vec<&String> = finding.as_object().unwrap().keys().collect();
            let expected = ["check", "next", "remedy", "schema", "severity", "table", "what"];
            assert_eq!(keys, expected, "{finding}");
            assert_eq!(finding["schema"], "doctor/1");
            let severity = finding["severity"].as_str().unwrap();
            let place = ORDER.iter().position(|it| *it == severity).unwrap();
            places.push(place);
            if place < 3 {
                let has_both = finding["remedy"].is_string() && finding["next"].is_string();
                assert!(has_both, "it says what to do: {finding}");
            }
            for command in finding["next"].as_str().unwrap_or_default().split(" && ") {
                if let Some(arguments) = command.strip_prefix("dmslake ") {
                    let words = std::iter::once("dmslake").chain(arguments.split_whitespace());
                    let read = dmslake::cli::command().try_get_matches_from(words);
                    assert!(read.is_ok(), "{command}: {:?}", read.err());
                }
            }
        }
        assert!(places.is_sorted(), "the worst is first: {places:?}");
        assert_eq!(self.code == 1, places.contains(&0), "{self:?}");
    }

    /// Those of one check that are not fine, as severity, table and what.
    fn of(&self, check: &str) -> Vec<(&str, &str, &str)> {
        let of_check = self.findings.iter().filter(|it| it["check"] == check);
        let told = of_check.map(|it| {
            let text = |key: &str| it[key].as_str().unwrap_or_default();
            (text("severity"), text("table"), text("what"))
        });
        told.filter(|(severity, ..)| *severity != "ok").collect()
    }

    /// The only finding of a check that is not fine, which has that severity and these words.
    fn only(&self, check: &str, severity: &str, words: &[&str]) -> &Value {
        let mut found = self.findings.iter().filter(|it| {
            it["check"] == check && it["severity"] != "ok" && it["severity"] != "skipped"
        });
        let only = found.next().unwrap_or_else(|| panic!("nothing of {check}: {self:#?}"));
        assert!(found.next().is_none(), "more of {check}: {self:#?}");
        assert_eq!(only["severity"], severity, "{only}");
        for word in words {
            assert!(only["what"].as_str().unwrap().contains(word), "{word}: {only}");
        }
        only
    }

    /// The severities of a check.
    fn severities(&self, check: &str) -> Vec<&str> {
        let of_check = self.findings.iter().filter(|it| it["check"] == check);
        of_check.map(|it| it["severity"].as_str().unwrap()).collect()
    }

    /// That nothing is to be mended, but for what the words of a check stand for.
    fn is_healthy(&self) {
        let ill = |it: &&Value| ["problem", "warning"].contains(&it["severity"].as_str().unwrap());
        let ills: Vec<&Value> = self.findings.iter().filter(ill).collect();
        assert!(ills.is_empty() && self.code == 0, "{ills:#?}");
    }
}

/// The command that a finding says to type.
fn next(finding: &Value) -> &str {
    finding["next"].as_str().unwrap()
}
