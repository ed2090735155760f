//! A table for which a bomb is staged, another table, and the real binary in a bounded address
//! space.

use std::fmt::Write as _;
use std::fs::{File, create_dir_all};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use tempfile::TempDir;

/// Every object's budget here, which is the least that bounds anything.
pub(super) const BUDGET: u64 = 16 << 20;
/// What a process may take beside what the program itself takes, in budgets: as the guide's page on limits has it.
const MULTIPLE: u64 = 8;
/// How far two runs of the program itself may lie apart: address space is taken for the stacks of
/// all threads that wait for files, 8 MB each, and for the pools of memory.
const SPREAD: u64 = 256 << 20;
/// Seconds that a run may take on a slow machine.
const PATIENCE: u64 = 900;

/// A folder with staging, lake and configuration.
#[derive(Debug)]
pub(super) struct Shop {
    folder: TempDir,
}

impl Shop {
    /// The tables `shop.bomb` and `shop.other`, in this order.
    pub(super) fn new(dms: &str) -> Self {
        Self::with(dms, BUDGET)
    }

    pub(super) fn with(dms: &str, budget: u64) -> Self {
        let shop = Self { folder: tempfile::tempdir().expect("a folder") };
        let mut text = format!(
            "staging = \"staging\"\nlake = \"lake\"\nmemory_budget = {budget}\n[dms]\n{dms}\n"
        );
        for table in ["bomb", "other"] {
            write!(
                text,
                "[[table]]\nsource = \"shop.{table}\"\nkeys = [\"id\"]\ncolumns = [\n\
                 {{ name = \"id\", type = \"bigint\" }},\n\
                 {{ name = \"note\", type = \"longtext\" }},\n]\n"
            )
            .expect("a string takes everything");
        }
        std::fs::write(shop.folder.path().join("dmslake.toml"), text).expect("written");
        let header = if dms.contains("add_column_name") { "id,note\n" } else { "" };
        let rows = format!("{header}1,a\n2,b\n");
        std::fs::write(shop.path("other", "LOAD00000001.csv"), rows).expect("written");
        shop
    }

    /// Where an object of a table is staged.
    pub(super) fn path(&self, table: &str, name: &str) -> PathBuf {
        let folder = self.folder.path().join("staging/shop").join(table);
        create_dir_all(&folder).expect("created");
        folder.join(name)
    }

    /// Stages an object of `shop.bomb`.
    pub(super) fn stage(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path("bomb", name), bytes).expect("written");
    }

    /// Stages an object that begins and ends with these bytes and is empty between them, on the
    /// disk too.
    pub(super) fn stage_sparse(&self, name: &str, size: u64, end: &[u8]) {
        use std::io::{Seek, SeekFrom};

        let mut file = File::create(self.path("bomb", name)).expect("created");
        file.set_len(size).expect("a file system with sparse files");
        if !end.is_empty() {
            file.write_all(b"PAR1").expect("written");
            file.seek(SeekFrom::Start(size - end.len() as u64)).expect("found");
            file.write_all(end).expect("written");
        }
    }

    /// Applies both tables within the documented multiple of the budget; returns the line of each.
    pub(super) fn apply(&self) -> Reports {
        static PROGRAM: OnceLock<u64> = OnceLock::new();
        let program = *PROGRAM.get_or_init(program);
        let budget = BUDGET.max(self.budget());
        run(self.folder.path(), program + SPREAD + MULTIPLE * budget, PATIENCE)
    }

    fn budget(&self) -> u64 {
        let text = std::fs::read_to_string(self.folder.path().join("dmslake.toml")).expect("read");
        let (_, rest) = text.split_once("memory_budget = ").expect("configured");
        rest.lines().next().and_then(|number| number.parse().ok()).expect("a number")
    }

    /// Applies; the bomb must be held with these words in its message, and the other table applied.
    pub(super) fn holds(&self, case: &str, parts: &[&str]) {
        let reports = self.apply();
        let bomb = reports.of("bomb", case);
        assert_eq!(bomb["status"], "held", "{case}: {reports:?}");
        let message = bomb["error"].as_str().expect("why");
        for part in parts {
            assert!(message.contains(part), "{case}: no `{part}` in {message}");
        }
        let other = reports.of("other", case);
        assert_eq!((&other["status"], &other["inserted"]), (&"ok".into(), &2.into()), "{case}");
        assert_eq!(reports.code, Some(1), "{case}");
    }
}

/// The output of one run.
#[derive(Debug)]
pub(super) struct Reports {
    pub(super) code: Option<i32>,
    lines: Vec<Value>,
    errors: String,
}

impl Reports {
    pub(super) fn of(&self, table: &str, case: &str) -> &Value {
        let name = format!("shop.{table}");
        let line = self.lines.iter().find(|line| line["table"] == *name);
        line.unwrap_or_else(|| {
            panic!("{case}: nothing of {name}: {:?}: {}", self.code, self.errors)
        })
    }
}

/// Address space that the program itself takes to apply two rows.
fn program() -> u64 {
    let shop = Shop::new("");
    // A program that gets no further thread may wait for one for ever.
    let fits = |megabytes: &u64| run(shop.folder.path(), megabytes << 20, 30).code == Some(0);
    let megabytes = (3..).map(|step| step * 64).take(60).find(fits);
    megabytes.expect("it runs in 4 GB") << 20
}

/// Runs the program for so many seconds at most.
fn run(folder: &Path, address_space: u64, seconds: u64) -> Reports {
    let limited =
        format!("ulimit -v {}; exec timeout -s KILL {seconds} \"$0\" \"$@\"", address_space >> 10);
    let output = Command::new("sh")
        .args(["-c", &limited])
        .arg(env!("CARGO_BIN_EXE_dmslake"))
        .args(["apply", "--json"])
        .current_dir(folder)
        .env_remove("RUST_LOG")
        .output()
        .expect("a shell");
    let out = String::from_utf8_lossy(&output.stdout);
    Reports {
        code: output.status.code(),
        lines: out.lines().filter_map(|line| serde_json::from_str(line).ok()).collect(),
        errors: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Gzip of `prefix` and then of a piece many times, which is compressed only once.
pub(super) fn gzip(prefix: &[u8], piece: &[u8], times: usize) -> Vec<u8> {
    let member = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).expect("packed");
        encoder.finish().expect("packed")
    };
    let repeated = member(piece);
    let mut packed = member(prefix);
    (0..times).for_each(|_| packed.extend(&repeated));
    packed
}
