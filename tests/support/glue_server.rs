//! A stand-in for AWS Glue. It keeps one entry and its version as AWS documents it: an update based
//! on another version is refused; moto accepts any update. And it keeps runs of one job, whose starts
//! it refuses or forgets to answer, and which it stops; moto's runs are over at once.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use aws_sdk_glue::Client;
use aws_sdk_glue::config::{BehaviorVersion, Credentials, Region};
use serde_json::{Value, json};

const LONGER_THAN_ANYBODY_WAITS: Duration = Duration::from_secs(9);

type Meanwhile = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Kept {
    /// The last `TableInput` and its version.
    entry: Option<(Value, u64)>,
    /// What happens before the next write is processed.
    meanwhile: Option<Meanwhile>,
    runs: Vec<Run>,
    /// What becomes of the next requests to start a run; then they are started.
    starts: VecDeque<Start>,
}

/// A run of the job.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) job: String,
    pub(crate) arguments: Value,
    pub(crate) state: &'static str,
}

/// What becomes of a request to start a run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start {
    /// It is refused with this code.
    Refused(&'static str),
    /// It is started, and the connection is closed before the answer.
    Unanswered,
    /// It is started, and answered when nobody waits any more.
    Slow,
}

/// What becomes of a request.
enum Reply {
    Answer(Value),
    Refusal(&'static str),
    Nothing,
}

/// The server; it ends with the process.
#[derive(Clone)]
pub(crate) struct GlueServer {
    address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
}

impl GlueServer {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let kept = Arc::<Mutex<Kept>>::default();
        let server = Self { address, kept };
        let serving = server.clone();
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let serving = serving.clone();
                thread::spawn(move || serving.serve(&connection));
            }
        });
        server
    }

    pub(crate) async fn client(&self) -> Client {
        let chain = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(self.endpoint())
            .credentials_provider(Credentials::new("test", "test", None, None, "tests"));
        Client::new(&chain.load().await)
    }

    /// Lets something happen between the next write's request and its answer.
    pub(crate) fn before_next_write(&self, meanwhile: impl FnOnce() + Send + 'static) {
        self.kept.lock().expect("not poisoned").meanwhile = Some(Box::new(meanwhile));
    }

    /// Somebody deletes the entry.
    pub(crate) fn forget(&self) {
        self.kept.lock().expect("not poisoned").entry = None;
    }

    /// The names of the entry's columns, and the number of writes.
    pub(crate) fn entry(&self) -> (Vec<String>, u64) {
        let kept = self.kept.lock().expect("not poisoned");
        let (entry, version) = kept.entry.as_ref().expect("an entry");
        let columns = entry["StorageDescriptor"]["Columns"].as_array().expect("columns");
        let name = |column: &Value| column["Name"].as_str().expect("a name").to_owned();
        (columns.iter().map(name).collect(), *version)
    }

    /// Answers the requests of one connection.
    fn serve(&self, connection: &TcpStream) {
        let mut reader = BufReader::new(connection);
        while let Some((target, body)) = request(&mut reader) {
            let reply = if target.contains("JobRun") {
                self.about_runs(&target, &body)
            } else {
                self.answer(&target, &body).map_or_else(Reply::Refusal, Reply::Answer)
            };
            let (status, answer) = match reply {
                Reply::Answer(answer) => ("200 OK", answer),
                Reply::Refusal(kind) => {
                    ("400 Bad Request", json!({ "__type": kind, "Message": "no" }))
                }
                Reply::Nothing => return,
            };
            let answer = answer.to_string();
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/x-amz-json-1.1\r\n\
                 Content-Length: {}\r\n\r\n",
                answer.len()
            );
            let mut writer = connection;
            if writer.write_all((head + &answer).as_bytes()).is_err() {
                return;
            }
        }
    }

    /// What becomes of the next requests to start a run.
    pub(crate) fn starts(&self, answers: &[Start]) {
        self.kept.lock().expect("not poisoned").starts.extend(answers);
    }

    pub(crate) fn runs(&self) -> Vec<Run> {
        self.kept.lock().expect("not poisoned").runs.clone()
    }

    /// A run comes to another state.
    pub(crate) fn set_state(&self, run: usize, state: &'static str) {
        self.kept.lock().expect("not poisoned").runs[run].state = state;
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    fn about_runs(&self, target: &str, body: &Value) -> Reply {
        let mut kept = self.kept.lock().expect("not poisoned");
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        match target {
            "AWSGlue.StartJobRun" => {
                let start = kept.starts.pop_front();
                if let Some(Start::Refused(code)) = start {
                    return Reply::Refusal(code);
                }
                let id = format!("jr_{}", kept.runs.len() + 1);
                let arguments = body["Arguments"].clone();
                let run = Run { id: id.clone(), job: text("JobName"), arguments, state: "RUNNING" };
                kept.runs.push(run);
                drop(kept);
                match start {
                    Some(Start::Unanswered) => return Reply::Nothing,
                    Some(Start::Slow) => thread::sleep(LONGER_THAN_ANYBODY_WAITS),
                    Some(Start::Refused(_)) | None => {}
                }
                Reply::Answer(json!({ "JobRunId": id }))
            }
            "AWSGlue.GetJobRun" => match kept.runs.iter().find(|run| run.id == text("RunId")) {
                Some(run) => {
                    Reply::Answer(json!({ "JobRun": { "Id": run.id, "JobRunState": run.state } }))
                }
                None => Reply::Refusal("EntityNotFoundException"),
            },
            "AWSGlue.BatchStopJobRun" => {
                let asked = body["JobRunIds"][0].as_str().unwrap_or_default();
                match kept.runs.iter_mut().find(|run| run.id == asked && run.state == "RUNNING") {
                    Some(run) => {
                        run.state = "STOPPED";
                        Reply::Answer(json!({ "SuccessfulSubmissions": [{ "JobRunId": asked }] }))
                    }
                    None => Reply::Answer(json!({ "Errors": [{
                        "JobRunId": asked,
                        "ErrorDetail": { "ErrorCode": "x", "ErrorMessage": "not running" },
                    }] })),
                }
            }
            target => panic!("{target} is not known here"),
        }
    }

    fn answer(&self, target: &str, body: &Value) -> Result<Value, &'static str> {
        let is_write = target != "AWSGlue.GetTable";
        let meanwhile =
            is_write.then(|| self.kept.lock().expect("not poisoned").meanwhile.take()).flatten();
        if let Some(meanwhile) = meanwhile {
            meanwhile();
        }
        let mut kept = self.kept.lock().expect("not poisoned");
        let input = body["TableInput"].clone();
        match (target, kept.entry.take()) {
            ("AWSGlue.GetTable" | "AWSGlue.UpdateTable", None) => Err("EntityNotFoundException"),
            ("AWSGlue.GetTable", Some((entry, version))) => {
                let mut table = entry.clone();
                table["VersionId"] = json!(version.to_string());
                kept.entry = Some((entry, version));
                Ok(json!({ "Table": table }))
            }
            ("AWSGlue.CreateTable", None) => {
                kept.entry = Some((input, 1));
                Ok(json!({}))
            }
            ("AWSGlue.CreateTable", entry) => {
                kept.entry = entry;
                Err("AlreadyExistsException")
            }
            ("AWSGlue.UpdateTable", Some((entry, version))) => {
                let is_current = body["VersionId"] == json!(version.to_string());
                kept.entry = Some(if is_current { (input, version + 1) } else { (entry, version) });
                if is_current { Ok(json!({})) } else { Err("ConcurrentModificationException") }
            }
            (target, _) => panic!("{target} is not known here"),
        }
    }
}

/// The next request's operation and body; none at the connection's end.
fn request(reader: &mut impl BufRead) -> Option<(String, Value)> {
    let (mut target, mut length) = (String::new(), 0);
    let mut line = String::new();
    while reader.read_line(&mut line).ok()? > 0 {
        if line == "\r\n" {
            let mut body = vec![0; length];
            reader.read_exact(&mut body).ok()?;
            return Some((target, serde_json::from_slice(&body).expect("a JSON body")));
        }
        if let Some((name, value)) = line.split_once(':') {
            match name.to_ascii_lowercase().as_str() {
                "x-amz-target" => value.trim().clone_into(&mut target),
                "content-length" => length = value.trim().parse().expect("a length"),
                _ => {}
            }
        }
        line.clear();
    }
    None
}
