//! A stand-in for a collector of OpenTelemetry: it keeps what it is sent.

use std::io::{BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dmslake::clock::{Clock as _, SystemClock};

use super::runtime_api::Request;

/// A collector that answers every request alike.
pub(crate) struct Collector {
    pub(crate) endpoint: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Collector {
    /// With this status as the answer; none keeps every request waiting.
    pub(crate) fn start(status: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let kept = Arc::clone(&requests);
        std::thread::spawn(move || {
            let mut waiting = Vec::new();
            for connection in listener.incoming().map_while(Result::ok) {
                let mut connection = BufReader::new(connection);
                let Some(request) = Request::read(&mut connection) else { continue };
                kept.lock().unwrap().push(request);
                match status {
                    Some(status) => {
                        let answer = format!(
                            "HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"
                        );
                        let _ = connection.get_mut().write_all(answer.as_bytes());
                    }
                    None => waiting.push(connection),
                }
            }
        });
        Self { endpoint, requests }
    }

    /// What was sent so far, once it is something.
    pub(crate) fn requests(&self) -> Vec<Request> {
        let start: Instant = SystemClock.instant();
        loop {
            let requests = std::mem::take(&mut *self.requests.lock().unwrap());
            if !requests.is_empty() || start.elapsed() > Duration::from_secs(10) {
                return requests;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
