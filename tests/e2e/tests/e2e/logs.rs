//! What the processes write: one line for each request at the gateway, whoever asked and however it ended, and no secret in any of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};
use stack::{Client, wait};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::system::{System, ok, trace_id};

/// Lines are written before the answer; only what was dropped comes later.
const SOON: Duration = Duration::from_secs(10);
const LIMIT: Duration = Duration::from_secs(10);

const SECRET: &str = "load.not-the-key-but-a-secret-of-somebody";

#[tokio::test(flavor = "multi_thread")]
async fn every_request_has_one_line_with_its_trace_and_no_line_has_a_secret() {
    let system = System::with("logs", |wishes| {
        wishes.set("LICTOR_FAULTS__ENABLED", "true")
    })
    .await;
    let stranger = || Client::new(system.gateway().addresses.public);
    let wrong = stranger().with_key(SECRET);
    let asked = [
        ("well", system.load_client(), Method::GET, "/api/users", 200),
        ("unknown-path", stranger(), Method::GET, "/nowhere", 404),
        ("no-key", stranger(), Method::GET, "/api/users", 401),
        (
            "wrong-key",
            wrong,
            Method::GET,
            "/api/users?token=SECRET-IN-QUERY",
            401,
        ),
        ("method", stranger(), Method::OPTIONS, "/api/users", 405),
        ("whole-server", stranger(), Method::OPTIONS, "*", 204),
    ];
    let mut traces = BTreeMap::new();
    for (id, client, method, path, status) in asked {
        let headers = [("x-request-id", id)];
        let answer = client.call(method, path, None, &headers, LIMIT).await;
        let answer = answer.unwrap();
        assert_eq!(answer.status, status, "{id}: {}", answer.text());
        traces.insert(id, trace_id(&answer));
    }
    for (id, trace) in &traces {
        let lines = lines_of(&system, id);
        assert_eq!(lines.len(), 1, "{id}: {lines:?}");
        let line = &lines[0];
        assert_eq!(line["trace_id"], **trace, "{line}");
        assert_eq!(line["span_id"].as_str().unwrap().len(), 16, "{line}");
    }

    somebody_leaves(&system).await;

    let secrets = [
        SECRET,
        "SECRET-IN-QUERY",
        &system.keys().load,
        &system.keys().admin_token,
    ];
    for instance in system.instances() {
        let said = std::fs::read_to_string(system.place().log(instance.name())).unwrap();
        for secret in secrets {
            assert!(!said.contains(secret), "{} tells {secret}", instance.name());
        }
    }
    system.stop().await;
}

/// Before there is an answer.
async fn somebody_leaves(system: &System) {
    let slow = json!({ "kind": "latency", "ms": 30000, "for_s": 60 });
    system.fault("users", &slow).await.unwrap();
    let mut stream = TcpStream::connect(system.gateway().addresses.public)
        .await
        .unwrap();
    let head = format!(
        "GET /api/users?limit=3 HTTP/1.1\r\nhost: shop\r\nx-request-id: left\r\nx-api-key: {}\r\n\r\n",
        system.keys().load
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let ops = Client::new(system.gateway().addresses.ops);
    let there = wait::until("the request to be on its way", SOON, || async {
        let metrics = ok(ops.get("/metrics").await).text();
        let busy = metrics.contains("http_server_active_requests 1\n");
        busy.then_some(()).ok_or("none is".to_owned())
    });
    there.await.unwrap();
    drop(stream);
    let line = wait::until("the line of who left", SOON, || async {
        let lines = lines_of(system, "left");
        match lines.is_empty() {
            false => Ok(lines),
            true => Err("none yet".to_owned()),
        }
    });
    let lines = line.await.unwrap();
    let [line] = &lines[..] else {
        panic!("not one line: {lines:?}");
    };
    assert_eq!(line["trace_id"].as_str().unwrap().len(), 32, "{line}");
    assert_eq!(line["span_id"].as_str().unwrap().len(), 16, "{line}");
    assert_eq!(
        (&line["status"], &line["code"]),
        (&json!(499), &json!("cancelled")),
        "{line}"
    );
    system.clear_faults(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_level_is_changed_while_it_runs_by_who_has_the_token() {
    let system = System::start("log-level").await;
    let stranger = Client::new(system.gateway().addresses.admin);
    let admin = Client::new(stranger.address()).with_token(&system.keys().admin_token);
    let wish = json!({ "filter": "warn" });
    assert_eq!(stranger.put("/log", &wish).await.unwrap().status, 401);
    let before = ok(admin.get("/log").await).json();

    ok(admin.put("/log", &wish).await);
    asks(&system, "quiet").await;
    let nonsense = admin
        .put("/log", &json!({ "filter": "no such=level" }))
        .await;
    assert_eq!(nonsense.unwrap().status, 400);
    assert_eq!(ok(admin.get("/log").await).json(), wish);
    ok(admin.put("/log", &before).await);
    asks(&system, "loud").await;

    assert_eq!(lines_of(&system, "loud").len(), 1);
    assert!(lines_of(&system, "quiet").is_empty());
    system.stop().await;
}

async fn asks(system: &System, id: &str) {
    let headers = [("x-request-id", id)];
    let asked = system.load_client();
    let asked = asked.call(Method::GET, "/api/users", None, &headers, LIMIT);
    ok(asked.await);
}

/// What the gateway wrote of a request.
fn lines_of(system: &System, id: &str) -> Vec<Value> {
    let mut lines = lines(&system.place().log(system.gateway().name()));
    lines.retain(|line| line["request_id"] == id && line["message"] == "request answered");
    lines
}

/// What a process wrote, but for what is no line of its log.
pub fn lines(log: &Path) -> Vec<Value> {
    let said = std::fs::read_to_string(log).unwrap();
    let lines = said.lines();
    lines
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}
