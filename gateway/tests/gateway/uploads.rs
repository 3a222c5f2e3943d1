//! Requests' bodies: in bounded memory, whole or visibly cut, framed afresh.

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
fn a_long_upload_flows_as_fast_as_it_is_read() {
    let orders = Upstream::playing(|turn| {
        turn.wait_at_the_gate();
        let length: u64 = turn.seen.header("content-length").unwrap().parse().unwrap();
        assert_eq!(turn.skip_body(length), length);
        turn.write(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
        Then::Keep
    });
    let rig = Rig::with(patient(), &[("", &[orders.address])]);
    let mut wire = rig.connect();
    let head = request(
        "POST",
        "/api/orders",
        &[&format!("Content-Length: {BODY}")],
        b"",
    );
    wire.send(&head);
    let sent = wire.send_until_stalled(BODY as usize, Duration::from_millis(500)) as u64;
    assert!(sent < HELD, "{sent} bytes were taken while nobody read");
    orders.open_gate();
    let rest = wire.send_until_stalled((BODY - sent) as usize, Duration::from_secs(20)) as u64;
    assert_eq!(sent + rest, BODY);
    assert_eq!(wire.answer().status, 201);
}

#[test]
fn a_known_length_stays_known_and_chunks_stay_chunks() {
    let orders = Upstream::answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n",
    );
    let rig = Rig::with(patient(), &[("", &[orders.address])]);
    let body = vec![b'z'; 100_000];
    let answer = rig.ask("POST", "/api/orders", &[], &body);
    assert_eq!(answer.text(), "abcde");
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    assert_eq!(answer.header("x-trailer"), None);
    let seen = &orders.seen()[0];
    assert_eq!(seen.header("content-length"), Some("100000"));
    assert_eq!(seen.body, body);

    let mut wire = rig.connect();
    wire.send(&request(
        "POST",
        "/api/orders",
        &["Transfer-Encoding: chunked"],
        b"",
    ));
    for _ in 0..10 {
        wire.send(format!("{:x}\r\n{}\r\n", 10_000, "q".repeat(10_000)).as_bytes());
    }
    wire.send(b"0\r\n\r\n");
    assert_eq!(wire.answer().status, 200);
    let seen = &orders.seen()[1];
    assert_eq!(
        (
            seen.header("content-length"),
            seen.header("transfer-encoding")
        ),
        (None, Some("chunked"))
    );
    assert_eq!(seen.body.len(), 100_000);
}

#[test]
fn a_cut_upload_never_looks_whole() {
    let orders = Upstream::playing(|turn| {
        turn.read_body();
        turn.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        Then::Keep
    });
    let rig = Rig::with(patient(), &[("", &[orders.address])]);
    for (framing, part) in [
        ("Content-Length: 1000000", "x".repeat(200_000)),
        (
            "Transfer-Encoding: chunked",
            format!("{:x}\r\n{}", 1_000_000, "x".repeat(200_000)),
        ),
    ] {
        let mut wire = rig.connect();
        wire.send(&request("POST", "/api/orders", &[framing], b""));
        wire.send(part.as_bytes());
        let before = orders.count();
        eventually(|| orders.count(), |count| *count > before || *count > 0);
        drop(wire);
        eventually(|| orders.open(), |open| *open == 0);
        let seen = orders.seen();
        assert!(seen.last().unwrap().body.len() < 1_000_000, "{framing}");
    }
}

#[test]
fn an_early_answer_to_an_upload_reaches_the_client() {
    let orders = Upstream::playing(|turn| {
        turn.write(b"HTTP/1.1 422 Unprocessable Entity\r\nContent-Length: 2\r\n\r\nno");
        turn.skip_body(u64::MAX);
        Then::Close
    });
    let rig = Rig::with(patient(), &[("", &[orders.address])]);
    let mut wire = rig.connect();
    wire.send(&request(
        "POST",
        "/api/orders",
        &["Content-Length: 100000000"],
        b"",
    ));
    wire.send(&vec![b'x'; 200_000]);
    let answer = wire.answer();
    assert_eq!((answer.status, answer.text().as_str()), (422, "no"));
}

#[test]
fn a_client_that_expects_to_be_invited_is_invited_here() {
    let orders = Upstream::well();
    let rig = Rig::with(patient(), &[("", &[orders.address])]);
    let mut wire = rig.connect();
    // Small bodies are read before an upstream is asked, long ones flow.
    for length in [2, 200_000] {
        let announced = format!("Content-Length: {length}");
        let headers = ["Expect: 100-continue", &announced];
        wire.send(&request("POST", "/api/orders", &headers, b""));
        assert_eq!(wire.head(), "HTTP/1.1 100 Continue\r\n\r\n");
        wire.send(&vec![b'x'; length]);
        assert_eq!(wire.answer().status, 200);
        let seen = orders.seen();
        assert_eq!(seen.last().unwrap().header("expect"), None);
        assert_eq!(seen.last().unwrap().body.len(), length);
    }
}

#[test]
fn a_client_whose_body_nobody_wants_is_not_invited() {
    let orders = Upstream::well();
    let rig = Rig::with(
        "[limits]\naddress = { requests = 4, per_ms = 60000, burst = 4 }\n",
        &[("", &[orders.address])],
    );
    for (path, headers, status) in [
        ("/api/orders", &["x-api-key", "Content-Length: 2"][..], 401),
        ("/api/orders", &["Content-Length: 65537"], 413),
        ("/api/nothing", &["Content-Length: 2"], 404),
        (
            "/api/orders",
            &["Connection: host", "Content-Length: 2"],
            400,
        ),
        ("/api/orders", &["Content-Length: 2"], 429),
    ] {
        let headers = [headers, &["Expect: 100-continue"]].concat();
        let mut wire = rig.connect();
        wire.send(&request("POST", path, &headers, b""));
        let head = wire.head();
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        assert!(
            head.to_ascii_lowercase().contains("\r\nconnection: close"),
            "{head}"
        );
    }
    assert_eq!(orders.count(), 0);
}

#[test]
fn a_body_that_comes_too_slowly_is_given_up() {
    let orders = Upstream::well();
    let rig = Rig::with("[edge]\nbody_idle_ms = 200\n", &[("", &[orders.address])]);
    let mut wire = rig.connect();
    let asked = Instant::now();
    wire.send(&request(
        "POST",
        "/api/orders",
        &["Content-Length: 10"],
        b"",
    ));
    wire.send(b"{");
    let answer = wire.answer();
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (408, "body_too_slow")
    );
    assert!(asked.elapsed() < Duration::from_secs(2));
    assert!(wire.is_closed());
    assert_eq!(
        orders.count(),
        0,
        "a small body is read before upstream is bothered"
    );
}

#[test]
fn an_upload_that_does_not_end_in_time_is_the_clients_failure_and_not_the_upstreams() {
    let orders = Upstream::well();
    // Time enough for a busy machine to pass on what there is.
    let toml = "[routes.orders_write]\ntimeout_ms = 2000\nbody_limit_bytes = 2000000\n";
    let rig = Rig::with(toml, &[("", &[orders.address])]);
    let begun = |_| {
        let mut wire = rig.connect();
        wire.send(&request(
            "POST",
            "/api/orders",
            &["Content-Length: 1000000"],
            b"",
        ));
        wire.send(&vec![b'x'; 100_000]);
        wire
    };
    let wires: Vec<_> = (0..6).map(begun).collect();
    for mut wire in wires {
        let answer = wire.answer();
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (408, "body_too_slow")
        );
    }
    for name in ["lictor_breaker_transitions_total", "lictor_ejections_total"] {
        assert_eq!(rig.metric(name, &[]), 0.0, "{name}");
    }
    assert_eq!(rig.ask("POST", "/api/orders", &[], b"{}").status, 200);
}
