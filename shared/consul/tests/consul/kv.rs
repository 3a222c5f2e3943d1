//! Following a prefix of the key-value store: at a real agent that is killed, and at a scripted one that lies.

use std::sync::Arc;
use std::time::Duration;

use consul::kv::{self, Followed, Value};
use serde_json::{Value as Json, json};

use crate::real_agent::RealAgent;
use crate::scripted::{Reply, Scripted, status};
use crate::{agent_at, eventually, metrics, value};

const PREFIX: &str = "lictor/";
/// A change is there after one round trip and the pace of the watch.
const SOON: Duration = Duration::from_secs(5);
/// From the return of an agent: its leader, the longest back-off, a round trip.
const BACK: Duration = Duration::from_secs(20);

fn text(followed: &Followed, key: &str) -> Option<String> {
    match followed.current().get(key)? {
        Value::Text(text) => Some(text.to_string()),
        Value::Unreadable(reason) => Some(format!("unreadable: {reason}")),
    }
}

async fn shows(followed: &Followed, key: &str, expected: Option<&str>, limit: Duration) {
    let what = format!("{key} is {expected:?}");
    eventually(&what, limit, || async {
        text(followed, key).as_deref() == expected
    })
    .await;
}

#[actix_web::test]
async fn what_is_written_changed_and_deleted_is_followed_from_an_empty_store_on() {
    let consul = RealAgent::start().await;
    let (registry, metrics) = metrics();
    let followed = kv::watch(&consul.client(), PREFIX, &metrics);
    eventually("an empty store is an answer", SOON, || async {
        value(&registry, "lictor_kv_age_seconds") > 0.0
    })
    .await;
    assert!(followed.current().is_empty());

    consul.put("lictor/log/users", b"one").await;
    shows(&followed, "log/users", Some("one"), SOON).await;
    consul.put("lictor/log/users", b"two").await;
    shows(&followed, "log/users", Some("two"), SOON).await;
    consul.put("elsewhere/log/users", b"three").await;
    consul.put("lictor/log/", b"").await;
    consul.put("lictor/log/empty", b"").await;
    shows(&followed, "log/empty", Some(""), SOON).await;
    assert_eq!(
        followed.current().len(),
        2,
        "neither a folder nor a neighbour"
    );
    assert_eq!(value(&registry, "lictor_kv_keys"), 2.0);

    consul.delete("lictor/log/users").await;
    shows(&followed, "log/users", None, SOON).await;
    consul.delete("lictor/log/empty").await;
    shows(&followed, "log/empty", None, SOON).await;
    consul.put("lictor/log/orders", b"again").await;
    shows(&followed, "log/orders", Some("again"), SOON).await;
    assert_eq!(
        value(&registry, "lictor_kv_errors_total{reason=\"status\"}"),
        0.0
    );
}

#[actix_web::test]
async fn a_value_that_is_no_text_or_too_long_is_refused_alone() {
    let consul = RealAgent::start().await;
    let (_, metrics) = metrics();
    let followed = kv::watch(&consul.client(), PREFIX, &metrics);
    consul.put("lictor/a", &[0xff, 0xfe]).await;
    consul.put("lictor/b", &vec![b'x'; 70_000]).await;
    consul.put("lictor/c", b"well").await;
    shows(&followed, "c", Some("well"), SOON).await;
    shows(&followed, "a", Some("unreadable: not UTF-8"), SOON).await;
    shows(&followed, "b", Some("unreadable: longer than 64 KiB"), SOON).await;
}

#[actix_web::test]
async fn an_agent_that_dies_changes_nothing_and_one_that_returns_is_followed_again() {
    let mut consul = RealAgent::start().await;
    let (registry, metrics) = metrics();
    let followed = kv::watch(&consul.client(), PREFIX, &metrics);
    consul.put("lictor/routes/users", b"kept").await;
    shows(&followed, "routes/users", Some("kept"), SOON).await;
    let before = followed.current();

    consul.kill();
    let failed = || async { value(&registry, "lictor_kv_errors_total{reason=\"connect\"}") >= 2.0 };
    eventually("the watch fails", SOON, failed).await;
    assert!(
        Arc::ptr_eq(&before, &followed.current()),
        "the last good map stays"
    );

    consul.boot_again();
    consul.led().await;
    consul.put("lictor/routes/orders", b"new").await;
    shows(&followed, "routes/orders", Some("new"), BACK).await;
    shows(&followed, "routes/users", Some("kept"), SOON).await;
}

#[actix_web::test]
async fn a_process_that_starts_before_its_agent_follows_when_the_agent_comes() {
    let mut consul = RealAgent::start().await;
    consul.put("lictor/log/users", b"there").await;
    consul.kill();
    let (_, metrics) = metrics();
    let followed = kv::watch(&consul.client(), PREFIX, &metrics);
    assert!(followed.current().is_empty());
    consul.boot_again();
    shows(&followed, "log/users", Some("there"), BACK).await;
}

/// 200 with that index and body.
fn says(index: u64, body: &Json) -> Reply {
    let head = format!("X-Consul-Index: {index}\r\n");
    Reply::Full(200, head, body.to_string().into_bytes())
}

fn raw(status: u16, head: &str, body: &str) -> Reply {
    Reply::Full(status, head.to_owned(), body.as_bytes().to_vec())
}

/// A value as Consul says it, in base64.
fn stored(value: &str) -> Reply {
    let coded = match value {
        "one" => "b25l",
        "two" => "dHdv",
        other => panic!("no code for {other}"),
    };
    let entry = json!([{ "Key": "lictor/a", "Value": coded, "Flags": 0, "LockIndex": 0, "CreateIndex": 1, "ModifyIndex": 1 }]);
    says(10, &entry)
}

/// Good, then the lie, then good again: the lie changes nothing and is counted.
async fn tells(lie: Reply, reason: &str) {
    let (registry, metrics) = metrics();
    let scripted = Scripted::start([says(10, &json!(["lictor/a"])), stored("one"), lie]).await;
    let followed = kv::watch(&agent_at(&scripted.address), PREFIX, &metrics);
    shows(&followed, "a", Some("one"), SOON).await;
    let before = followed.current();
    let series = format!("lictor_kv_errors_total{{reason=\"{reason}\"}}");
    eventually(&series, SOON, || async { value(&registry, &series) == 1.0 }).await;
    assert!(Arc::ptr_eq(&before, &followed.current()), "{reason}");

    scripted.then(says(11, &json!(["lictor/a"])));
    scripted.then(stored("two"));
    scripted.always(|| Reply::Hang);
    shows(&followed, "a", Some("two"), SOON).await;
}

#[actix_web::test]
async fn an_error_never_touches_the_map_and_the_next_answer_does() {
    let hidden = "X-Consul-Index: 12\r\nX-Consul-Results-Filtered-By-ACLs: true\r\n";
    let many: Vec<String> = (0..1_001).map(|n| format!("lictor/{n}")).collect();
    let lies = [
        (status(500), "server_error"),
        (status(429), "too_many_requests"),
        (status(403), "forbidden"),
        (raw(404, "", ""), "status"),
        (raw(404, hidden, ""), "filtered"),
        (raw(200, hidden, "[]"), "filtered"),
        (raw(200, "", "[]"), "malformed"),
        (says(12, &json!({})), "malformed"),
        (says(12, &json!(["elsewhere/a"])), "malformed"),
        (says(12, &json!(many)), "malformed"),
        (Reply::Raw(b"not http\r\n\r\n".to_vec()), "transport"),
    ];
    let told = lies.map(|(lie, reason)| actix_web::rt::spawn(tells(lie, reason)));
    for one in told {
        one.await.unwrap();
    }
}

#[actix_web::test]
async fn a_value_that_cannot_be_read_leaves_the_whole_map_as_it_was() {
    let (registry, metrics) = metrics();
    let script = [
        says(10, &json!(["lictor/a", "lictor/b"])),
        stored("one"),
        stored("one"),
        says(11, &json!(["lictor/a", "lictor/b"])),
        stored("two"),
        status(500),
    ];
    let scripted = Scripted::start(script).await;
    let followed = kv::watch(&agent_at(&scripted.address), PREFIX, &metrics);
    let series = "lictor_kv_errors_total{reason=\"server_error\"}";
    eventually(series, SOON, || async { value(&registry, series) == 1.0 }).await;
    assert_eq!(
        text(&followed, "a").as_deref(),
        Some("one"),
        "all of a map or nothing of it"
    );

    // The same index as of the turn that failed: what could not be read is read now.
    for reply in [
        says(11, &json!(["lictor/a", "lictor/b"])),
        stored("two"),
        stored("two"),
    ] {
        scripted.then(reply);
    }
    shows(&followed, "b", Some("two"), SOON).await;
}

#[actix_web::test]
async fn a_quiet_store_is_confirmed_without_reading_its_values_again() {
    let (_, metrics) = metrics();
    let quiet = says(10, &json!(["lictor/a"]));
    let scripted = Scripted::start([quiet.clone(), stored("one"), quiet]).await;
    let _followed = kv::watch(&agent_at(&scripted.address), PREFIX, &metrics);
    scripted.asked(4, SOON).await;
    let expected = [
        "GET /v1/kv/lictor/?keys&leader",
        "GET /v1/kv/lictor/a?recurse=false",
        "GET /v1/kv/lictor/?keys&leader&index=10&wait=55000ms",
        "GET /v1/kv/lictor/?keys&leader&index=10&wait=55000ms",
    ];
    assert_eq!(scripted.lines(), expected);
}
