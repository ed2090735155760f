//! The Lambda service as a function sees it: a stand-in for the Runtime API over HTTP, and the real
//! `bootstrap` binary that polls it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use dmslake::clock::{Clock, SystemClock};
use serde_json::Value;

/// The longest time to a process's first poll before a test fails.
const START_LIMIT: Duration = Duration::from_mins(1);

/// The longest delay of an expected log line.
const LOG_LIMIT: Duration = Duration::from_secs(10);

/// The outcome of an invocation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// The function's result.
    Response(Value),
    /// The function's error: its type and message.
    Error(String, String),
    /// No answer until the deadline: Lambda kills the process.
    TimedOut,
}

struct Event {
    id: u64,
    payload: String,
    deadline_ms: i64,
}

/// A running function: its process, and the service that invokes it. Dropping it stops both.
pub(crate) struct Function {
    process: Child,
    events: Sender<Event>,
    outcomes: Receiver<(String, Outcome)>,
    invocations: u64,
    first_poll: Duration,
    log: Arc<Mutex<Vec<String>>>,
}

impl Function {
    /// Starts `bootstrap`, or the build of it that `DMSLAKE_BOOTSTRAP` names, with a
    /// configuration and waits for its first poll. Nothing of the environment reaches it but
    /// `variables`.
    pub(crate) fn start(config: &str, variables: &[(&str, &str)]) -> Self {
        let named = std::env::var_os("DMSLAKE_BOOTSTRAP");
        let program = named.unwrap_or_else(|| env!("CARGO_BIN_EXE_bootstrap").into());
        Self::start_program(Path::new(&program), config, variables)
    }

    /// Starts another build of `bootstrap`.
    pub(crate) fn start_program(program: &Path, config: &str, variables: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (events, to_send) = mpsc::channel();
        let (answered, outcomes) = mpsc::channel();
        let (polled, polls) = mpsc::channel();
        let service = Service { to_send: Arc::new(Mutex::new(to_send)), answered, polled };
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let service = service.clone();
                thread::spawn(move || service.serve(connection));
            }
        });

        let mut command = Command::new(program);
        command
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "dmslake")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1769")
            .env("DMSLAKE_CONFIG", config)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped());
        let start = SystemClock.instant();
        let mut process = command.spawn().expect("bootstrap starts");
        let log = Arc::<Mutex<Vec<String>>>::default();
        let output = BufReader::new(process.stdout.take().expect("it is piped"));
        let lines = Arc::clone(&log);
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                lines.lock().expect("not poisoned").push(line);
            }
        });
        let first_poll = first_poll(&polls, &mut process, start);
        Self { process, events, outcomes, invocations: 0, first_poll, log }
    }

    /// All lines that it has logged.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().expect("not poisoned").clone()
    }

    /// From the start of the process to its first poll.
    pub(crate) fn first_poll(&self) -> Duration {
        self.first_poll
    }

    /// Invokes the function with this much time until its deadline, and waits for the outcome.
    pub(crate) fn invoke(&mut self, event: &Value, time: Duration) -> Outcome {
        self.invocations += 1;
        let id = self.invocations;
        let deadline = SystemClock.now() + time;
        let deadline_ms = deadline.timestamp_millis();
        let event = Event { id, payload: event.to_string(), deadline_ms };
        self.events.send(event).expect("the service runs");
        match self.outcomes.recv_timeout(time) {
            Ok((answered, outcome)) => {
                assert_eq!(answered, request_id(id), "an answer to another invocation");
                outcome
            }
            Err(RecvTimeoutError::Timeout) => Outcome::TimedOut,
            Err(RecvTimeoutError::Disconnected) => panic!("the service ended"),
        }
    }

    /// The log lines with this message. Output may lag behind answers, so this waits for at least
    /// this many lines.
    pub(crate) fn logged(&self, message: &str, at_least: usize) -> Vec<Value> {
        let start = SystemClock.instant();
        loop {
            let found = self.logged_so_far(message);
            let waited = SystemClock.instant().duration_since(start);
            if found.len() >= at_least || waited > LOG_LIMIT {
                return found;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn logged_so_far(&self, message: &str) -> Vec<Value> {
        let lines = self.log.lock().expect("not poisoned");
        let lines = lines.iter().map(|line| serde_json::from_str::<Value>(line));
        let lines = lines.map(|line| line.expect("each line is JSON"));
        lines.filter(|line| line["message"] == message).collect()
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        // The process may have ended already; nothing else needs to be done.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn first_poll(polls: &Receiver<Instant>, process: &mut Child, start: Instant) -> Duration {
    loop {
        if let Ok(poll) = polls.recv_timeout(Duration::from_millis(100)) {
            return poll.duration_since(start);
        }
        let exit = process.try_wait().expect("a state");
        assert!(exit.is_none(), "bootstrap ended before it polled: {exit:?}");
        let waited = SystemClock.instant().duration_since(start);
        assert!(waited < START_LIMIT, "bootstrap did not poll in {waited:?}");
    }
}

fn request_id(id: u64) -> String {
    format!("8476a536-e9f4-11e8-9739-{id:012}")
}

#[derive(Clone)]
struct Service {
    to_send: Arc<Mutex<Receiver<Event>>>,
    answered: Sender<(String, Outcome)>,
    polled: Sender<Instant>,
}

impl Service {
    /// Answers the requests of one connection until it is closed.
    fn serve(&self, connection: TcpStream) {
        let mut requests = BufReader::new(connection);
        while let Some(request) = Request::read(&mut requests) {
            let parts: Vec<_> = request.path.split('/').skip(1).collect();
            let response = match (request.method.as_str(), parts.as_slice()) {
                ("GET", ["2018-06-01", "runtime", "invocation", "next"]) => match self.next() {
                    Some(response) => response,
                    None => return,
                },
                ("POST", ["2018-06-01", "runtime", "invocation", id, "response"]) => {
                    self.report(id, Outcome::Response(request.json()))
                }
                ("POST", ["2018-06-01", "runtime", "invocation", id, "error"]) => {
                    let error = request.json();
                    let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
                    self.report(id, Outcome::Error(text("errorType"), text("errorMessage")))
                }
                _ => "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned(),
            };
            if requests.get_mut().write_all(response.as_bytes()).is_err() {
                return;
            }
        }
    }

    /// Waits for the next event; none once the function is dropped.
    fn next(&self) -> Option<String> {
        // Later polls have no receiver.
        let _ = self.polled.send(SystemClock.instant());
        let event = self.to_send.lock().expect("not poisoned").recv().ok()?;
        Some(format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
             lambda-runtime-aws-request-id: {}\r\nlambda-runtime-deadline-ms: {}\r\n\
             lambda-runtime-invoked-function-arn: arn:aws:lambda:eu-west-1:123456789012:function:dmslake\r\n\
             lambda-runtime-trace-id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1\r\n\r\n{}",
            event.payload.len(),
            request_id(event.id),
            event.deadline_ms,
            event.payload
        ))
    }

    fn report(&self, id: &str, outcome: Outcome) -> String {
        // A finished test has no receiver.
        let _ = self.answered.send((id.to_owned(), outcome));
        "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n".to_owned()
    }
}

/// A request over HTTP.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// The next request of a connection; none at its end.
    pub(crate) fn read(connection: &mut BufReader<TcpStream>) -> Option<Self> {
        let mut line = String::new();
        if connection.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, path) = (words.next()?, words.next()?);
        let mut length = 0;
        let mut headers = Vec::new();
        loop {
            let mut header = String::new();
            connection.read_line(&mut header).ok()?;
            let Some((name, value)) = header.trim_end().split_once(':') else { break };
            let name = name.to_ascii_lowercase();
            assert_ne!(name, "transfer-encoding", "the stand-in reads no chunks");
            if name == "content-length" {
                length = value.trim().parse().expect("a length");
            }
            headers.push((name, value.trim().to_owned()));
        }
        let mut body = vec![0; length];
        connection.read_exact(&mut body).ok()?;
        Some(Self { method, path, headers, body })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}
