//! What `rs-consul` does for us, and what it does not: each test of the second kind is a reason why a part of Consul's
//! API is spoken by our own client. The day one of them fails, the decision in ARCHITECTURE.md is looked at again.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use consul::kv::{Store, Stored};
use rs_consul::{Config, Consul, ConsulError, GetServiceNodesRequest, ReadKeyRequest};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::process::Process;
use crate::real_agent::RealAgent;
use crate::{agent_at, eventually, metrics};

const SOON: Duration = Duration::from_secs(5);

fn theirs(consul: &RealAgent) -> Consul {
    Consul::new(Config {
        address: consul.address(),
        ..Config::default()
    })
}

fn below(prefix: &str) -> ReadKeyRequest<'_> {
    ReadKeyRequest {
        key: prefix,
        recurse: true,
        ..ReadKeyRequest::default()
    }
}

#[actix_web::test]
async fn a_key_is_written_read_and_deleted() {
    let consul = RealAgent::start().await;
    let store = Store::of(&consul.client());
    let key = "lictor/log/a b?c";
    assert_eq!(store.read(key).await.unwrap(), Stored::Absent);
    for value in ["{\"filter\":\"info\"}", ""] {
        store.write(key, value).await.unwrap();
        let read = store.read(key).await.unwrap();
        assert_eq!(read, Stored::Text(value.to_owned()));
    }
    consul.put("lictor/bytes", &[0xff, 0xfe]).await;
    assert_eq!(store.read("lictor/bytes").await.unwrap(), Stored::NoText);
    for _ in 0..2 {
        store.delete(key).await.unwrap();
        assert_eq!(store.read(key).await.unwrap(), Stored::Absent);
    }
}

#[actix_web::test]
async fn an_agent_that_hangs_or_is_not_there_is_an_error_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let store = Store::of(&agent_at(&address));
    assert_eq!(store.read("a").await.unwrap_err().reason(), "timeout");
    drop(silent);
    let store = Store::of(&agent_at(&address));
    assert_eq!(store.read("a").await.unwrap_err().reason(), "connect");
}

/// Answers every request with an empty list and counts the connections.
async fn counting() -> (String, Rc<Cell<u32>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let opened = Rc::new(Cell::new(0));
    let counted = Rc::clone(&opened);
    actix_web::rt::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.set(counted.get() + 1);
            actix_web::rt::spawn(async move {
                let mut request = [0; 4096];
                while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]";
                    if stream.write_all(answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, opened)
}

#[actix_web::test]
async fn ours_keeps_one_connection_where_the_crate_s_default_opens_one_for_each_call() {
    let (address, opened) = counting().await;
    let store = Store::of(&agent_at(&address));
    for _ in 0..10 {
        assert_eq!(store.read("a").await.unwrap(), Stored::Absent);
    }
    assert_eq!(opened.replace(0), 1, "ours");
    let theirs = Consul::new(Config {
        address,
        ..Config::default()
    });
    for _ in 0..10 {
        theirs.read_key(below("a")).await.unwrap();
    }
    assert_eq!(opened.get(), 10, "theirs");
}

#[actix_web::test]
async fn missing_the_index_of_a_prefix_without_keys() {
    let consul = RealAgent::start().await;
    match theirs(&consul).read_key(below("lictor/")).await {
        // Nothing in it says from where a blocking query could go on: following an empty prefix would be polling.
        Err(ConsulError::UnexpectedResponseCode(status, text)) => {
            assert_eq!((status.as_u16(), text.as_deref()), (404, Some("")));
        }
        other => panic!("{other:?}"),
    }
}

#[actix_web::test]
async fn missing_the_good_values_beside_one_that_is_no_text() {
    let consul = RealAgent::start().await;
    consul.put("lictor/good", b"{}").await;
    consul.put("lictor/bytes", &[0xff, 0xfe]).await;
    let read = theirs(&consul).read_key(below("lictor/")).await;
    assert!(matches!(read, Err(ConsulError::InvalidUtf8(_))), "{read:?}");
}

#[actix_web::test]
async fn missing_checks_weights_and_meta_of_an_instance() {
    let consul = RealAgent::start().await;
    let (_, metrics) = metrics();
    let process = Process::start("users", "a").await;
    let registered = process.register(&consul.client(), &metrics);
    assert!(registered.registered(SOON).await);
    let theirs = theirs(&consul);
    let nodes = || async {
        let request = GetServiceNodesRequest {
            service: "users",
            near: None,
            passing: false,
            filter: None,
        };
        let found = theirs.get_service_nodes(request, None).await;
        found.map(|found| found.response).unwrap_or_default()
    };
    let there = || async { nodes().await.len() == 1 };
    eventually("the instance is in the catalogue", SOON, there).await;
    let shown = serde_json::to_value(&nodes().await[0]).unwrap();
    let mut fields: Vec<&String> = shown["Service"].as_object().unwrap().keys().collect();
    fields.sort();
    let known = ["Address", "ID", "Port", "Service", "Tags"];
    assert_eq!(fields, known, "no Weights, no Meta");
    assert_eq!(
        shown["Checks"],
        Value::Null,
        "nothing says which check failed"
    );
}
