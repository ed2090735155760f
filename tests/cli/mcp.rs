//! `dmslake mcp` as a client sees it: the messages of the protocol, line by line.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

use super::looking::shop;
use super::{dmslake, run};

/// A client that has started the server.
struct Client {
    server: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    calls: u64,
}

impl Client {
    fn start(home: &Path) -> Self {
        let mut server = dmslake(home, &["mcp"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let input = server.stdin.take();
        let output = BufReader::new(server.stdout.take().expect("its output"));
        let mut client = Self { server, input, output, calls: 0 };
        let about = json!({
            "protocolVersion": "2025-06-18", "capabilities": {},
            "clientInfo": { "name": "test", "version": "1" },
        });
        let told = client.ask("initialize", &about);
        assert_eq!(told["result"]["serverInfo"]["name"], "dmslake", "{told}");
        assert!(told["result"]["capabilities"]["tools"].is_object(), "{told}");
        client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        client
    }

    fn send(&mut self, message: &Value) {
        let input = self.input.as_mut().expect("it is open");
        writeln!(input, "{message}").expect("it is read");
    }

    fn ask(&mut self, method: &str, parameters: &Value) -> Value {
        self.calls += 1;
        let id = self.calls;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": parameters }));
        let mut line = String::new();
        self.output.read_line(&mut line).expect("an answer");
        let answer: Value = serde_json::from_str(&line).expect("a message");
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    /// The text of a call, and whether it is an error.
    fn call(&mut self, tool: &str, arguments: &Value) -> (String, bool) {
        let told = self.ask("tools/call", &json!({ "name": tool, "arguments": arguments }));
        let result = &told["result"];
        let text = result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{told}"));
        (text.to_owned(), result["isError"] == true)
    }

    /// What a call that is refused says.
    fn refused(&mut self, tool: &str, arguments: &Value) -> String {
        let told = self.ask("tools/call", &json!({ "name": tool, "arguments": arguments }));
        told["error"]["message"].as_str().unwrap_or_else(|| panic!("{told}")).to_owned()
    }

    /// Ends the connection: the server ends too.
    fn end(mut self) {
        drop(self.input.take());
        assert!(self.server.wait().expect("it ends").success());
    }
}

#[test]
fn a_tool_says_what_the_command_says_to_an_agent() {
    let home = shop();
    let mut client = Client::start(home.path());
    for (tool, arguments, words) in [
        (
            "status",
            json!({ "tables": ["shop.items"], "json": true }),
            &["status", "shop.items", "--json"][..],
        ),
        ("history", json!({ "table": "shop.items" }), &["history", "shop.items"]),
        (
            "query",
            json!({ "sql": "SELECT count(*) FROM items", "format": "csv" }),
            &["query", "SELECT count(*) FROM items", "--format", "csv"],
        ),
        (
            "diff",
            json!({ "table": "shop.items", "from": 1, "to": "2" }),
            &["diff", "shop.items", "--from", "1", "--to", "2"],
        ),
        (
            "show",
            json!({ "table": "shop.items", "where": "id > 2", "columns": ["id", "name"] }),
            &["show", "shop.items", "--where", "id > 2", "--columns", "id,name"],
        ),
        ("why", json!({ "table": "shop.items", "key": 2 }), &["why", "shop.items", "2"]),
        ("quarantine_list", json!({}), &["quarantine", "list"]),
        ("help", json!({ "name": "inspecting" }), &["help", "inspecting"]),
    ] {
        let said = run(home.path(), &[words, &["--agent"]].concat());
        let (text, is_error) = client.call(tool, &arguments);
        assert!(!is_error, "{tool}: {text}");
        // Spans of time grow between two looks.
        let told = |text: &str| -> Vec<String> {
            text.lines().filter(|line| !line.contains("ago")).map(ToOwned::to_owned).collect()
        };
        if tool == "status" {
            let [one, other] =
                [&text, &said.out].map(|text| serde_json::from_str::<Value>(text).expect("JSON"));
            assert_eq!((&one["version"], &one["rows"]), (&other["version"], &other["rows"]));
        } else {
            assert_eq!(told(&text), told(said.out.trim_end()), "{tool}");
        }
    }
    client.end();
}

#[test]
fn tools_only_read_and_refuse_what_is_no_argument_of_theirs() {
    let home = shop();
    let before = run(home.path(), &["history", "shop.items", "--json"]).out;
    let mut client = Client::start(home.path());
    let listed = client.ask("tools/list", &json!({}));
    let tools = listed["result"]["tools"].as_array().expect("tools");
    let names: Vec<&str> = tools.iter().filter_map(|tool| tool["name"].as_str()).collect();
    for writes in
        ["apply", "maintain", "rebuild", "restore", "truncate", "quarantine_release", "pause"]
    {
        assert!(!names.contains(&writes), "{names:?}");
        assert!(client.refused(writes, &json!({})).contains("no tool"), "{writes}");
    }
    for tool in tools {
        assert_eq!(tool["annotations"]["readOnlyHint"], true, "{tool}");
        assert!(tool["description"].as_str().is_some_and(|text| text.len() > 20), "{tool}");
        let properties = tool["inputSchema"]["properties"].as_object().expect("an object");
        for gone in ["config", "apply", "mysql", "resume", "watch", "metrics_file"] {
            assert!(!properties.contains_key(gone), "{tool}");
        }
    }
    let query = tools.iter().find(|tool| tool["name"] == "query").expect("it is a tool");
    assert_eq!(query["inputSchema"]["required"], json!(["sql"]));
    assert_eq!(
        query["inputSchema"]["properties"]["format"]["enum"],
        json!(["table", "csv", "json"])
    );

    // What looks like an option is a value.
    let (text, is_error) = client.call("why", &json!({ "table": "shop.items", "key": "--help" }));
    assert!(is_error && text.contains("\"error\""), "{text}");
    let (text, is_error) = client.call("query", &json!({ "sql": "DELETE FROM items" }));
    assert!(is_error, "{text}");
    for (tool, arguments) in [
        ("status", json!({ "watch": 1 })),
        ("status", json!({ "config": "/etc/passwd" })),
        ("status", json!({ "tables": "shop.items" })),
        ("verify", json!({ "table": "shop.items", "apply": true })),
        ("show", json!({ "table": "shop.items", "format": "parquet" })),
    ] {
        let why = client.refused(tool, &arguments);
        assert!(!why.is_empty(), "{tool} {arguments}");
    }
    client.end();
    assert_eq!(run(home.path(), &["history", "shop.items", "--json"]).out, before);
}

#[test]
fn a_table_that_needs_attention_is_an_answer_and_a_wrong_configuration_none() {
    let home = shop();
    super::write(
        &home.path().join("staging/shop/items/20260301-081700000.csv"),
        "I,2026-03-01 08:16:01.000000,4,vier\n",
    );
    let mut client = Client::start(home.path());
    let (text, is_error) = client.call("status", &json!({}));
    assert!(!is_error && text.contains("behind"), "{text}");
    let (text, is_error) = client.call("history", &json!({ "table": "shop.nothing" }));
    assert!(is_error && text.contains("shop.nothing"), "{text}");
    client.end();

    let said = run(home.path(), &["mcp", "--config", "absent.toml"]);
    assert_eq!(said.code, Some(2), "{said:?}");
}

#[test]
fn what_speaks_no_protocol_is_told_what_does() {
    let home = shop();
    let said = super::said(
        dmslake(home.path(), &["mcp"]).stdin(Stdio::null()).output().expect("it starts"),
    );
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("let a client start this command"), "{said:?}");
    assert!(run(home.path(), &["help", "mcp"]).out.contains("mcpServers"));
}

#[test]
fn a_call_that_is_cancelled_ends_its_process() {
    let home = shop();
    let mut client = Client::start(home.path());
    let call = json!({ "name": "query", "arguments": { "sql": super::looking::ENDLESS } });
    client.send(&json!({ "jsonrpc": "2.0", "id": 99, "method": "tools/call", "params": call }));
    let server = client.server.id();
    until("the call runs", || !children(server).is_empty());
    client.send(&json!({
        "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 99 },
    }));
    until("its process has ended", || children(server).is_empty());
    client.end();
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..300 {
        if is_so() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("not within 30 s: {what}");
}

/// The processes that a process has started and that run.
fn children(process: u32) -> Vec<String> {
    let is_child = |status: &str| status.lines().any(|it| *it == *format!("PPid:\t{process}"));
    let is_alive = |status: &str| !status.contains("State:\tZ");
    let processes = std::fs::read_dir("/proc").expect("Linux").flatten();
    let statuses =
        processes.filter_map(|it| std::fs::read_to_string(it.path().join("status")).ok());
    statuses.filter(|status| is_child(status) && is_alive(status)).collect()
}
