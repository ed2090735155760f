//! A MariaDB server of the test's own: its own folder, port and end.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use dmslake::clock::{Clock, SystemClock};

const PATIENCE: Duration = Duration::from_mins(1);

/// A running server.
#[derive(Debug)]
pub(crate) struct MariaDb {
    child: Child,
    port: u16,
    has_tls: bool,
    folder: tempfile::TempDir,
}

impl MariaDb {
    /// A server that has executed these statements (one a line); none, said on standard error, if
    /// no `mariadbd` is installed.
    pub(crate) fn start(statements: &str) -> Option<Self> {
        let (Some(server), Some(install)) = (find("mariadbd"), find("mariadb-install-db")) else {
            let is_required = std::env::var_os("DMSLAKE_REQUIRE_SERVERS").is_some();
            assert!(!is_required, "mariadbd is not installed");
            eprintln!("skipped: no mariadbd on this machine, so nothing was tested against MySQL");
            return None;
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = folder.path();
        let (files, script) = (home.join("files"), home.join("init.sql"));
        std::fs::write(&script, statements).expect("writable");
        let as_root = is_root().then_some("--user=root");
        // A server that starts deletes what it takes for left over in the folder for such files.
        let scratch = home.join("scratch");
        std::fs::create_dir(&scratch).expect("a folder");
        let installed = Command::new(install)
            .env("TMPDIR", &scratch)
            .args(["--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal"])
            .arg(option("--datadir", &files))
            .args(as_root)
            .output()
            .expect("mariadb-install-db starts");
        assert!(installed.status.success(), "{installed:?}");

        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("bound").port();
        drop(free);
        let certificate = certificate(home);
        let log = std::fs::File::create(home.join("log")).expect("writable");
        let child = Command::new(server)
            .env("TMPDIR", &scratch)
            .args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-log-bin"])
            .arg(format!("--port={port}"))
            .args([option("--datadir", &files), option("--init-file", &script)])
            .args([
                option("--socket", &home.join("socket")),
                option("--pid-file", &home.join("pid")),
            ])
            .args(certificate.iter().flatten())
            .args(as_root)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("mariadbd starts");
        let mut this = Self { child, port, has_tls: certificate.is_some(), folder };
        this.wait_until_it_answers();
        Some(this)
    }

    /// Its URL for that user and password, with a schema and parameters behind the slash.
    pub(crate) fn url(&self, user: &str, rest: &str) -> String {
        format!("mysql://{user}@127.0.0.1:{}/{rest}", self.port)
    }

    /// Whether it speaks TLS, with a certificate that nobody signed.
    pub(crate) fn has_tls(&self) -> bool {
        self.has_tls
    }

    fn wait_until_it_answers(&mut self) {
        let deadline = SystemClock.instant() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.child.try_wait().expect("a child");
            let log = || std::fs::read_to_string(self.folder.path().join("log"));
            assert!(ended.is_none() && SystemClock.instant() < deadline, "{:?}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        // Its files go away with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Where distributions keep servers, which is not on everybody's path.
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/libexec".into()]);
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn option(name: &str, value: &Path) -> String {
    format!("{name}={}", value.display())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.starts_with(b"0\n"))
}

fn certificate(home: &Path) -> Option<[String; 2]> {
    let (key, certificate) = (home.join("key.pem"), home.join("certificate.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"])
        .args([Path::new("-keyout"), &key, Path::new("-out"), &certificate])
        .output();
    let is_made = made.is_ok_and(|output| output.status.success());
    is_made.then(|| [option("--ssl-key", &key), option("--ssl-cert", &certificate)])
}
