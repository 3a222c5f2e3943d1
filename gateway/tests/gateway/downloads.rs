//! Answers' bodies: in bounded memory, whole or visibly cut, framed afresh.

use std::time::{Duration, Instant};

use crate::{
    rig::{Rig, request},
    upstream::{Then, Upstream},
    wire::eventually,
};

const MIB: u64 = 1024 * 1024;
/// More than all buffers on the way together, loopback's own among them.
const BODY: u64 = 256 * MIB;
/// What loopback sockets and the gateway may hold while one side does not read: the kernel's buffers grow to several MiB on each hop.
const HELD: u64 = 40 * MIB;

fn patient() -> &'static str {
    "[routes.inventory]\ntimeout_ms = 600000\n[routes.orders_write]\ntimeout_ms = 600000\nbody_limit_bytes = 1000000000\n"
}

#[test]
fn a_long_answer_flows_as_fast_as_it_is_read() {
    let inventory = Upstream::playing(|turn| {
        turn.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {BODY}\r\n\r\n").as_bytes());
        turn.pour(BODY);
        Then::Keep
    });
    let rig = Rig::with(patient(), &[("", &[inventory.address])]);
    let mut wire = rig.connect();
    wire.send(&request("GET", "/api/inventory/items", &[], b""));
    let head = wire.head();
    assert!(
        head.to_ascii_lowercase()
            .contains(&format!("content-length: {BODY}")),
        "{head}"
    );
    let held = standstill(&inventory);
    assert!(held < HELD, "{held} bytes were taken while nobody read");
    wire.skip(BODY);
    wire.send(&request("GET", "/api/inventory/items", &[], b""));
    assert!(wire.head().starts_with("HTTP/1.1 200"));
}

#[test]
fn a_cut_answer_never_looks_whole() {
    for cut in [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this much",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
    ] {
        let users = Upstream::playing(move |turn| {
            turn.write(cut.as_bytes());
            Then::Close
        });
        let rig = Rig::in_front_of(&users);
        let mut wire = rig.connect();
        wire.send(&request("GET", "/api/users", &[], b""));
        let answer = wire.answer();
        assert_eq!(answer.status, 200);
        assert!(!answer.whole, "{cut:?}: {answer:?}");
        assert!(wire.is_closed());
        assert_eq!(
            rig.metric("http_client_request_duration_seconds_count", &[]),
            0.0
        );
    }
}

#[test]
fn what_has_no_body_gets_none() {
    let users = Upstream::playing(|turn| {
        let answer: &[u8] = match turn.seen.line.split(' ').nth(1).unwrap() {
            "/users/204" => b"HTTP/1.1 204 No Content\r\n\r\n",
            "/users/304" => {
                b"HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nContent-Length: 12\r\n\r\n"
            }
            _ => b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 12\r\n\r\n",
        };
        turn.write(answer);
        Then::Keep
    });
    let rig = Rig::in_front_of(&users);
    let mut wire = rig.connect();
    for (method, path, status, length) in [
        ("HEAD", "/api/users/7", 200, Some("12")),
        ("GET", "/api/users/204", 204, None),
        ("GET", "/api/users/304", 304, Some("12")),
        ("HEAD", "/api/users/8", 200, Some("12")),
    ] {
        wire.send(&request(method, path, &[], b""));
        let answer = wire.answer_to(method);
        assert_eq!(
            (answer.status, answer.header("content-length")),
            (status, length),
            "{method} {path}"
        );
        assert_eq!(answer.header("transfer-encoding"), None);
    }
    assert!(
        users.seen().iter().all(|seen| seen.connection == 0),
        "the connection is still in step"
    );
}

#[test]
fn an_answer_with_two_readings_is_502() {
    for odd in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        "nonsense\r\n\r\n",
    ] {
        let users = Upstream::playing(move |turn| {
            turn.read_body();
            turn.write(odd.as_bytes());
            Then::Close
        });
        let rig = Rig::in_front_of(&users);
        let answer = rig.ask("POST", "/api/users", &[], b"{}");
        assert_eq!(answer.status, 502, "{odd:?}: {answer:?}");
    }
}

#[test]
fn an_interim_answer_is_not_the_answer() {
    let users = Upstream::answering(
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    );
    let rig = Rig::in_front_of(&users);
    let mut wire = rig.connect();
    for _ in 0..3 {
        wire.send(&request("GET", "/api/users", &[], b""));
        let answer = wire.answer();
        assert_eq!((answer.status, answer.text().as_str()), (200, "hi"));
    }
}

#[test]
fn events_flow_without_waiting_for_more() {
    let inventory = Upstream::playing(|turn| {
        turn.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n");
        turn.wait_at_the_gate();
        turn.write(b"9\r\ndata: 2\n\n\r\n0\r\n\r\n");
        Then::Keep
    });
    let rig = Rig::in_front_of(&inventory);
    let mut wire = rig.connect();
    wire.send(&request("GET", "/api/inventory/items", &[], b""));
    assert!(wire.head().contains("text/event-stream"));
    wire.skip("9\r\ndata: 1\n\n\r\n".len() as u64);
    inventory.open_gate();
    wire.skip("9\r\ndata: 2\n\n\r\n0\r\n\r\n".len() as u64);
}

#[test]
fn a_client_of_http_1_0_gets_no_chunks() {
    let inventory = Upstream::answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    );
    let rig = Rig::in_front_of(&inventory);
    let mut wire = rig.connect();
    wire.send(b"GET /api/inventory/items HTTP/1.0\r\nHost: shop\r\n\r\n");
    let answer = wire.answer();
    assert_eq!(
        (answer.text().as_str(), answer.header("transfer-encoding")),
        ("hello", None)
    );
}

#[test]
fn an_upstream_that_falls_silent_mid_answer_is_given_up() {
    let users = Upstream::playing(|turn| {
        turn.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        turn.wait_for_the_end();
        Then::Close
    });
    let rig = Rig::with("[edge]\nanswer_idle_ms = 200\n", &[("", &[users.address])]);
    let mut wire = rig.connect();
    wire.send(&request("GET", "/api/users", &[], b""));
    assert!(!wire.answer().whole);
    eventually(|| users.open(), |open| *open == 0);
}

#[test]
fn a_client_that_leaves_mid_answer_frees_everything() {
    let inventory = Upstream::playing(|turn| {
        turn.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {BODY}\r\n\r\n").as_bytes());
        turn.pour(BODY);
        Then::Close
    });
    let rig = Rig::with(patient(), &[("", &[inventory.address])]);
    let mut wire = rig.connect();
    wire.send(&request("GET", "/api/inventory/items", &[], b""));
    wire.head();
    drop(wire);
    eventually(|| inventory.open(), |open| *open == 0);
    eventually(
        || rig.metric("lictor_gateway_in_flight", &[]),
        |places| *places == 0.0,
    );
}

/// How much has flowed once nothing flows any more.
fn standstill(upstream: &Upstream) -> u64 {
    let mut last = (upstream.flowed(), Instant::now());
    while last.1.elapsed() < Duration::from_millis(300) {
        std::thread::sleep(Duration::from_millis(5));
        if upstream.flowed() != last.0 {
            last = (upstream.flowed(), Instant::now());
        }
    }
    last.0
}
