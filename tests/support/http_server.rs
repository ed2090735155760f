//! An HTTP server that answers every request as a test specifies, and counts them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An empty listing.
const NO_OBJECTS: &str = "<?xml version=\"1.0\"?><ListBucketResult><Name>b</Name><Prefix></Prefix>\
                          <KeyCount>0</KeyCount><MaxKeys>1000</MaxKeys>\
                          <IsTruncated>false</IsTruncated></ListBucketResult>";

/// A server with scripted answers, which counts requests.
pub(crate) struct Server {
    pub(crate) endpoint: String,
    requests: Arc<AtomicUsize>,
}

impl Server {
    /// `answer` is given the number of the request and its head; without an answer the connection is
    /// closed.
    pub(crate) fn start(answer: impl Fn(usize, &str) -> Option<String> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
                let Some(head) = request_head(&mut stream) else { continue };
                if let Some(answer) = answer(number, &head) {
                    let _ = stream.write_all(answer.as_bytes());
                }
            }
        });
        Self { endpoint, requests }
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn request_head(stream: &mut TcpStream) -> Option<String> {
    let mut read: Vec<u8> = Vec::new();
    let mut part = [0; 4096];
    while !read.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut part) {
            Ok(0) | Err(_) => return None,
            Ok(count) => read.extend(&part[..count]),
        }
    }
    Some(String::from_utf8_lossy(&read).into_owned())
}

/// An answer.
pub(crate) fn http(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    )
}

/// The answers of an empty bucket.
pub(crate) fn empty_bucket(head: &str) -> String {
    let request = head.lines().next().unwrap_or_default();
    if request.contains("list-type") {
        http("200 OK", "", NO_OBJECTS)
    } else {
        s3_error("404 Not Found", "NoSuchKey")
    }
}

/// A refusal in S3's format.
pub(crate) fn s3_error(status: &str, code: &str) -> String {
    let body =
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>no</Message></Error>");
    http(status, "", &body)
}
