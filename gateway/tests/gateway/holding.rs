//! Clients that hold on to a connection without using it: each is let go in time, and nobody else notices.
//!
//! `holding/crowd.rs` is a thousand of them; here is one at a time.

mod crowd;

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use crate::{
    rig::{Rig, request},
    uncrowded,
    upstream::{Then, Upstream},
    wire::{Wire, eventually},
};

/// What a busy machine may add to a deadline.
const SLACK: Duration = Duration::from_secs(2);
/// More than all buffers on the way together, loopback's own among them.
const LONG: u64 = 256 * 1024 * 1024;
const ENDED: &str = "lictor_client_connections_ended_total";
const ITEMS: &str = "/api/inventory/items";

#[test]
fn a_body_that_drips_is_given_up_on_every_request_of_a_connection() {
    let _quiet = uncrowded();
    let orders = Upstream::well();
    let rig = Rig::with("[edge]\nbody_idle_ms = 300\n", &[("", &[orders.address])]);
    let mut wire = rig.connect();
    wire.send(&request("POST", "/api/orders", &[], b"{}"));
    assert_eq!(wire.answer().status, 200);
    wire.send(&request(
        "POST",
        "/api/orders",
        &["Content-Length: 1000"],
        b"",
    ));
    let asked = Instant::now();
    // Never a pause that is too long, and yet far below 1 KiB a second.
    for _ in 0..20 {
        wire.send(b"x");
        std::thread::sleep(Duration::from_millis(50));
    }
    let answer = wire.answer();
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (408, "body_too_slow")
    );
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(wire.is_closed());
    assert!(asked.elapsed() < Duration::from_secs(1) + SLACK);
    assert_eq!(orders.count(), 1, "upstream was not bothered");
}

#[test]
fn an_answer_that_is_not_read_is_given_up_and_its_lease_with_it() {
    let _quiet = uncrowded();
    let inventory = Upstream::playing(|turn| {
        turn.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {LONG}\r\n\r\n").as_bytes());
        turn.pour(LONG);
        Then::Close
    });
    let rig = Rig::with(
        "[server]\nwrite_stall_ms = 500\n[routes.inventory]\ntimeout_ms = 600000\n",
        &[("", &[inventory.address])],
    );
    let mut wire = rig.connect();
    wire.send(&request("GET", ITEMS, &[], b""));
    assert!(wire.head().starts_with("HTTP/1.1 200"));
    let begin = Instant::now();
    eventually(|| inventory.open(), |open| *open == 0);
    for gauge in [
        "lictor_gateway_in_flight",
        "lictor_upstream_in_flight",
        "lictor_client_connections",
    ] {
        eventually(|| rig.metric(gauge, &[]), |held| *held == 0.0);
    }
    assert!(begin.elapsed() < Duration::from_millis(500) + SLACK);
    assert_eq!(rig.metric(ENDED, &[("reason", "write_stall")]), 1.0);
    assert!(!wire.reads_on(LONG), "a cut answer never looks whole");
}

#[test]
fn an_answer_that_is_read_slowly_is_not_given_up() {
    let _quiet = uncrowded();
    const ANSWER: u64 = 24 * 1024 * 1024;
    let inventory = Upstream::playing(|turn| {
        turn.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {ANSWER}\r\n\r\n").as_bytes());
        turn.pour(ANSWER);
        Then::Keep
    });
    let rig = Rig::with(
        "[server]\nwrite_stall_ms = 500\n[routes.inventory]\ntimeout_ms = 600000\n",
        &[("", &[inventory.address])],
    );
    let mut wire = rig.connect();
    wire.send(&request("GET", ITEMS, &[], b""));
    wire.head();
    for _ in 0..24 {
        std::thread::sleep(Duration::from_millis(100));
        wire.skip(ANSWER / 24);
    }
    assert_eq!(rig.metric(ENDED, &[("reason", "write_stall")]), 0.0);
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    const IDLE: Duration = Duration::from_millis(1000);
    /// Three of them are longer than `IDLE`; one stays shorter when a busy machine adds half a second.
    const PAUSE: Duration = Duration::from_millis(400);
    let _quiet = uncrowded();
    let rig = Rig::with(
        "[server]\nkeep_alive_ms = 1000\n",
        &[("", &[Upstream::well().address])],
    );
    let mut wire = rig.connect();
    let mut begin = Instant::now();
    for _ in 0..3 {
        std::thread::sleep(PAUSE);
        begin = Instant::now();
        wire.send(&request("GET", ITEMS, &[], b""));
        assert_eq!(
            wire.answer().status,
            200,
            "each request begins the time anew"
        );
    }
    assert!(wire.is_closed());
    let idle = begin.elapsed();
    assert!((IDLE..IDLE + SLACK).contains(&idle), "{idle:?}");
}

#[test]
fn a_drain_closes_idle_connections_at_once_and_lets_exchanges_end() {
    let _quiet = uncrowded();
    let slow = Upstream::playing(|turn| {
        turn.read_body();
        if turn.seen.line.contains("/slow") {
            turn.wait_at_the_gate();
        }
        turn.write(crate::upstream::ok("{}").as_bytes());
        Then::Keep
    });
    let mut rig = Rig::in_front_of(&slow);
    let mut fresh = rig.connect();
    let mut halfway = rig.connect();
    halfway.send(b"GET /api/inv");
    let mut idle = rig.connect();
    idle.send(&request("GET", ITEMS, &[], b""));
    assert_eq!(idle.answer().status, 200);
    let mut busy = rig.connect();
    busy.send(&request("GET", "/api/inventory/slow", &[], b""));
    eventually(|| slow.count(), |count| *count == 2);

    let begin = Instant::now();
    rig.drain();
    for wire in [&mut idle, &mut fresh, &mut halfway] {
        assert!(wire.is_closed());
    }
    // Left alone, the first of them would go after the head's 5 s.
    assert!(begin.elapsed() < SLACK, "{:?}", begin.elapsed());
    slow.open_gate();
    let answer = busy.answer();
    assert_eq!(
        (answer.status, answer.header("connection")),
        (200, Some("close"))
    );
    assert!(busy.is_closed());
}

#[test]
fn the_thousandth_request_of_a_connection_is_its_last() {
    let rig = Rig::with(
        "[server]\nrequests_per_connection = 1000\n\
         [limits.groups]\nbrowse = { requests = 100000, per_ms = 1000, burst = 100000 }\n",
        &[("", &[Upstream::well().address])],
    );
    let mut wire = rig.connect();
    let asked = request("GET", ITEMS, &[], b"");
    for _ in 1..1000 {
        wire.send(&asked);
        let answer = wire.answer();
        assert_eq!((answer.status, answer.header("connection")), (200, None));
    }
    // The next one stands right behind it, and is not served.
    wire.send(&[asked.clone(), asked].concat());
    let last = wire.answer();
    assert_eq!(
        (last.status, last.header("connection")),
        (200, Some("close"))
    );
    assert!(wire.is_closed());
}

#[test]
fn an_address_has_so_many_connections_and_no_more() {
    let shop = Upstream::well();
    let few = "[server]\nconnections_per_address = 3\n";
    let rig = Rig::with(few, &[("", &[shop.address])]);
    let served = |wire: &mut Wire| {
        wire.send(&request("GET", ITEMS, &[], b""));
        wire.try_answer().is_some_and(|answer| answer.status == 200)
    };
    let mut first: Vec<Wire> = (0..3).map(|_| rig.connect()).collect();
    assert!(first.iter_mut().all(served));
    assert!(
        !served(&mut rig.connect()),
        "the fourth is closed without an answer"
    );
    let neighbour = Ipv4Addr::new(127, 0, 0, 2);
    assert!(
        served(&mut Wire::connect_from(neighbour, rig.address)),
        "another address is unharmed"
    );
    assert!(rig.metric(ENDED, &[("reason", "address_limit")]) >= 1.0);
    first.pop();
    eventually(|| served(&mut rig.connect()), |served| *served);

    let trusting = format!("{few}[edge]\ntrusted_proxies = [\"127.0.0.1/32\"]\n");
    let rig = Rig::with(&trusting, &[("", &[shop.address])]);
    let mut proxies: Vec<Wire> = (0..10).map(|_| rig.connect()).collect();
    assert!(
        proxies.iter_mut().all(served),
        "a proxy's connections are not counted"
    );
}

#[test]
fn what_never_becomes_a_request_is_refused_with_a_problem_and_a_name() {
    let rig = Rig::in_front_of(&Upstream::well());
    let long = format!("GET / HTTP/1.1\r\nX-Long: {}", "x".repeat(140_000));
    for (sent, status, code) in [
        (&b"nonsense\r\n\r\n"[..], 400, "malformed_request"),
        (long.as_bytes(), 431, "head_too_large"),
    ] {
        for before in 0..2 {
            let mut wire = rig.connect();
            for _ in 0..before {
                wire.send(&request("GET", ITEMS, &[], b""));
                assert_eq!(wire.answer().status, 200);
            }
            wire.send(sent);
            let answer = wire.answer();
            assert_eq!((answer.status, answer.code().as_str()), (status, code));
            assert_eq!(answer.header("x-request-id").map(str::len), Some(36));
            assert_eq!(answer.header("connection"), Some("close"));
            assert!(wire.is_closed());
        }
    }
    assert_eq!(rig.metric(ENDED, &[("reason", "malformed")]), 4.0);
}

#[test]
fn nobody_is_invited_behind_an_answer_that_is_not_written_yet() {
    let rig = Rig::in_front_of(&Upstream::well());
    let mut wire = rig.connect();
    let expecting = request("POST", "/api/orders", &["Expect: 100-continue"], b"{}");
    wire.send(&[request("GET", ITEMS, &[], b""), expecting].concat());
    assert_eq!(wire.answer().status, 200);
    let refused = wire.answer();
    assert_eq!(
        (refused.status, refused.header("connection")),
        (417, Some("close"))
    );
    assert!(wire.is_closed());
}
