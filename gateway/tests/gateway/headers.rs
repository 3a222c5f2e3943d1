//! What upstream is told, and what the client is told back.

use crate::{
    rig::{Rig, request},
    upstream::{Upstream, ok},
};

#[test]
fn upstream_is_told_who_asks_by_the_gateway_alone() {
    let users = Upstream::well();
    let rig = Rig::in_front_of(&users);
    let lies = [
        "X-Forwarded-For: 6.6.6.6",
        "Forwarded: for=6.6.6.6",
        "X-Real-IP: 6.6.6.6",
        "X-Gateway-Debug: 1",
        "X-Request-Timeout-Ms: 99999999",
        "baggage: a=1",
    ];
    assert_eq!(rig.ask("GET", "/api/users/7?x=%2F", &lies, b"").status, 200);
    let seen = &users.seen()[0];
    assert_eq!(seen.line, "GET /users/7?x=%2F HTTP/1.1");
    assert_eq!(seen.headers_called("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(seen.header("x-forwarded-host"), Some("shop"));
    assert_eq!(seen.header("x-forwarded-proto"), Some("http"));
    assert_eq!(seen.header("host"), Some("users"));
    assert_eq!(seen.header("via"), Some("1.1 lictor"));
    for gone in [
        "forwarded",
        "x-real-ip",
        "x-gateway-debug",
        "baggage",
        "connection",
    ] {
        assert_eq!(seen.header(gone), None, "{gone}");
    }
    let left: u64 = seen
        .header("x-request-timeout-ms")
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..2000).contains(&left), "{left}");
}

#[test]
fn a_trusted_proxy_may_say_who_the_client_is() {
    let users = Upstream::well();
    let rig = Rig::with(
        "[edge]\ntrusted_proxies = [\"127.0.0.0/8\"]\n",
        &[("", &[users.address])],
    );
    rig.ask(
        "GET",
        "/api/users",
        &[
            "X-Forwarded-For: 6.6.6.6, 203.0.113.7",
            "X-Forwarded-Proto: https",
        ],
        b"",
    );
    let seen = &users.seen()[0];
    assert_eq!(seen.headers_called("x-forwarded-for"), ["203.0.113.7"]);
    assert_eq!(seen.header("x-forwarded-proto"), Some("https"));
}

#[test]
fn a_request_has_one_name_everywhere() {
    let users = Upstream::well();
    let rig = Rig::in_front_of(&users);
    for header in ["X-Request-Id: abc-1", "X-Correlation-ID: abc-1"] {
        let answer = rig.ask("GET", "/api/users", &[header], b"");
        assert_eq!(answer.header("x-request-id"), Some("abc-1"));
        let seen = users.seen();
        assert_eq!(
            seen.last().unwrap().headers_called("x-request-id"),
            ["abc-1"]
        );
        assert_eq!(seen.last().unwrap().header("x-correlation-id"), None);
    }
    let made = rig.ask("GET", "/api/users", &["X-Request-Id: not well formed"], b"");
    let seen = users.seen();
    assert_eq!(
        made.header("x-request-id"),
        seen.last().unwrap().header("x-request-id")
    );
    assert_eq!(made.header("x-request-id").map(str::len), Some(36));
}

#[test]
fn a_trace_goes_on_upstream_but_not_the_strangers() {
    let users = Upstream::well();
    let rig = Rig::in_front_of(&users);
    let strangers = "4bf92f3577b34da6a3ce929d0e0e4736";
    let answer = rig.ask(
        "GET",
        "/api/users",
        &[
            &format!("traceparent: 00-{strangers}-00f067aa0ba902b7-01"),
            "tracestate: a=1",
        ],
        b"",
    );
    let seen = &users.seen()[0];
    for given in seen.headers_called("traceparent") {
        assert!(!given.contains(strangers), "{given}");
    }
    assert!(
        answer
            .header("traceresponse")
            .is_none_or(|given| !given.contains(strangers))
    );
}

#[test]
fn an_answer_passes_end_to_end_headers_only() {
    let users = Upstream::answering(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: \"1\"\r\nContent-Encoding: gzip\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Hop: 1\r\nConnection: x-hop\r\nKeep-Alive: timeout=9\r\nX-Auth-Subject: leak\r\nX-Request-Id: theirs\r\n\r\nhi",
    );
    let rig = Rig::in_front_of(&users);
    let answer = rig.get("/api/users");
    assert_eq!(answer.text(), "hi");
    assert_eq!(answer.header("etag"), Some("\"1\""));
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    assert_eq!(
        answer
            .headers
            .iter()
            .filter(|(name, _)| name == "set-cookie")
            .count(),
        2
    );
    for gone in ["x-hop", "keep-alive", "x-auth-subject", "connection"] {
        assert_eq!(answer.header(gone), None, "{gone}");
    }
    assert_ne!(answer.header("x-request-id"), Some("theirs"));
    assert!(
        answer
            .header("server-timing")
            .unwrap()
            .contains("upstream;dur=")
    );
    assert!(answer.header("x-lictor-instance").is_none());
}

#[test]
fn debug_headers_say_who_served_and_why() {
    let users = Upstream::answering(ok("{}"));
    let rig = Rig::with("[edge]\ndebug_headers = true\n", &[("", &[users.address])]);
    let answer = rig.get("/api/users");
    assert_eq!(
        answer.header("x-lictor-instance"),
        Some(format!("users-{}", users.address.port()).as_str())
    );
    assert_eq!(answer.header("x-lictor-zone"), Some("a"));
    assert_eq!(answer.header("x-lictor-reason"), Some("local"));
    assert_eq!(answer.header("x-lictor-attempts"), Some("1"));
}

#[test]
fn connections_upstream_are_used_again() {
    let users = Upstream::well();
    let rig = Rig::in_front_of(&users);
    let mut wire = rig.connect();
    for _ in 0..5 {
        wire.send(&request("GET", "/api/users", &[], b""));
        assert_eq!(wire.answer().status, 200);
    }
    assert!(users.seen().iter().all(|seen| seen.connection == 0));
}
