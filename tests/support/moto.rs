//! moto's S3 server for tests, stopped when the value is dropped.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::{ObjectStore, ObjectStoreExt};

/// The bucket on the server.
pub(crate) const BUCKET: &str = "shop";

pub(crate) struct Moto {
    server: Child,
    port: u16,
}

impl Moto {
    /// Starts the server with one empty bucket. None if moto is not installed, unless
    /// `DMSLAKE_REQUIRE_SERVERS` requires it.
    pub(crate) fn start() -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let started = Command::new("moto_server")
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(server) = started else {
            let is_required = std::env::var_os("DMSLAKE_REQUIRE_SERVERS").is_some();
            assert!(!is_required, "moto_server is not installed");
            eprintln!("skipped: moto_server is not installed");
            return None;
        };
        let moto = Self { server, port };
        for _ in 0..300 {
            if moto.create_bucket() {
                return Some(moto);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let is_required = std::env::var_os("DMSLAKE_REQUIRE_SERVERS").is_some();
        assert!(!is_required, "moto_server does not answer");
        eprintln!("skipped: moto_server does not answer");
        None
    }

    fn create_bucket(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        let request = format!(
            "PUT /{BUCKET} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Length: 0\r\n\
             Connection: close\r\n\r\n",
            self.port
        );
        let mut answer = String::new();
        stream.write_all(request.as_bytes()).is_ok()
            && stream.read_to_string(&mut answer).is_ok()
            && answer.starts_with("HTTP/1.1 200")
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The environment with which the standard AWS chain finds this server.
    pub(crate) fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_ACCESS_KEY_ID", "test".into()),
            ("AWS_SECRET_ACCESS_KEY", "test".into()),
            ("AWS_REGION", "us-east-1".into()),
            ("AWS_EC2_METADATA_DISABLED", "true".into()),
        ]
    }

    /// The bucket as a separate object store, independent of the program's.
    pub(crate) fn bucket(&self) -> Arc<dyn ObjectStore> {
        let store = AmazonS3Builder::new()
            .with_bucket_name(BUCKET)
            .with_endpoint(self.endpoint())
            .with_region("us-east-1")
            .with_access_key_id("test")
            .with_secret_access_key("test")
            .with_allow_http(true)
            .build();
        Arc::new(store.unwrap())
    }

    pub(crate) async fn put(&self, key: &str, content: impl Into<bytes::Bytes>) {
        let path = object_store::path::Path::parse(key).unwrap();
        self.bucket().put(&path, content.into().into()).await.unwrap();
    }

    pub(crate) async fn remove(&self, key: &str) {
        let path = object_store::path::Path::parse(key).unwrap();
        self.bucket().delete(&path).await.unwrap();
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
