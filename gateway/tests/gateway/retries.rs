//! A failing instance is not the client's business, as long as doing it twice does no harm.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    rig::Rig,
    upstream::{Then, Turn, Upstream, ok},
};

/// Two instances: whichever is asked first does this, and both are well ever after.
fn first(does: impl Fn(&mut Turn<'_>) -> Then + Send + Sync + 'static) -> [Upstream; 2] {
    let does = Arc::new(does);
    let asked = Arc::new(AtomicBool::new(false));
    [(); 2].map(|()| {
        let (does, asked) = (does.clone(), asked.clone());
        Upstream::playing(move |turn| {
            if !asked.swap(true, Ordering::SeqCst) {
                return does(turn);
            }
            turn.read_body();
            turn.write(ok("{}").as_bytes());
            Then::Keep
        })
    })
}

/// Takes a request and hangs up without a word.
fn hang_up(turn: &mut Turn<'_>) -> Then {
    turn.read_body();
    Then::Close
}

/// Takes a request and says nothing more.
fn freeze(turn: &mut Turn<'_>) -> Then {
    turn.wait_for_the_end();
    Then::Close
}

fn rig(instances: &[SocketAddr]) -> Rig {
    Rig::with(
        "[edge]\ndebug_headers = true\n[routes.orders_write]\nbody_limit_bytes = 1000000\n",
        &[("", instances)],
    )
}

#[test]
fn a_refused_connection_is_tried_elsewhere_for_every_method() {
    for (method, body) in [("GET", &b""[..]), ("POST", b"{}"), ("DELETE", b"")] {
        let well = Upstream::well();
        let rig = rig(&[Upstream::nobody(), well.address]);
        for _ in 0..20 {
            let answer = rig.ask(method, "/api/users", &[], body);
            assert_eq!(answer.status, 200, "{method}: {answer:?}");
        }
        assert_eq!(well.count(), 20, "{method}: nothing was done twice");
    }
}

#[test]
fn a_long_upload_goes_elsewhere_as_long_as_nothing_of_it_was_written() {
    let well = Upstream::well();
    let rig = rig(&[Upstream::nobody(), well.address]);
    let body = vec![b'z'; 100_000];
    for _ in 0..5 {
        let answer = rig.ask("POST", "/api/orders", &[], &body);
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert!(well.seen().iter().all(|seen| seen.body == body));
}

#[test]
fn a_broken_connection_is_tried_elsewhere_when_twice_does_no_harm() {
    for (method, path, headers, body) in [
        ("GET", "/api/users", &[][..], &b""[..]),
        ("PUT", "/api/users/7", &[], b"{\"a\":1}"),
        ("DELETE", "/api/users/7", &[], b""),
        (
            "POST",
            "/api/orders",
            &["Idempotency-Key: k-1"],
            b"{\"a\":1}",
        ),
    ] {
        let two = first(hang_up);
        let answer = rig(&[two[0].address, two[1].address]).ask(method, path, headers, body);
        assert_eq!(
            (answer.status, answer.header("x-lictor-attempts")),
            (200, Some("2")),
            "{method}: {answer:?}"
        );
        assert_eq!(
            (two[0].count(), two[1].count()),
            (1, 1),
            "{method}: elsewhere"
        );
        assert!(
            two.iter().all(|instance| instance.seen()[0].body == body),
            "{method}: the body is sent again whole"
        );
    }
}

#[test]
fn a_post_that_may_have_been_done_is_not_done_again() {
    for (path, headers) in [
        ("/api/orders", &[][..]),
        ("/api/users", &["Idempotency-Key: k-1"]),
    ] {
        let two = first(hang_up);
        let answer = rig(&[two[0].address, two[1].address]).ask("POST", path, headers, b"{}");
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (502, "upstream_unreachable"),
            "{path}"
        );
        assert_eq!(two[0].count() + two[1].count(), 1, "{path}");
    }
}

#[test]
fn a_long_upload_goes_up_once() {
    let two = first(hang_up);
    let body = vec![b'x'; 200_000];
    let answer = rig(&[two[0].address, two[1].address]).ask(
        "POST",
        "/api/orders",
        &["Idempotency-Key: k-1"],
        &body,
    );
    assert_eq!(answer.status, 502);
    assert_eq!(two[0].count() + two[1].count(), 1);
}

#[test]
fn an_answer_that_says_later_is_asked_for_elsewhere() {
    let two = first(|turn| {
        turn.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
        Then::Keep
    });
    assert_eq!(
        rig(&[two[0].address, two[1].address])
            .get("/api/users")
            .status,
        200
    );
    assert_eq!((two[0].count(), two[1].count()), (1, 1));
}

#[test]
fn a_frozen_instance_does_not_use_up_the_deadline() {
    let two = first(freeze);
    let asked = Instant::now();
    let answer = rig(&[two[0].address, two[1].address]).get("/api/users");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(
        asked.elapsed() < Duration::from_millis(1800),
        "{:?}",
        asked.elapsed()
    );
}

#[test]
fn the_last_answer_is_passed_on_when_nobody_does_better() {
    let failing = Upstream::answering(
        "HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\noops",
    );
    let rig = Rig::in_front_of(&failing);
    let answer = rig.get("/api/users");
    assert_eq!((answer.status, answer.text().as_str()), (500, "oops"));
    assert_eq!(failing.count(), 3, "the first attempt and two more");
}

#[test]
fn the_deadline_is_total() {
    let frozen = Upstream::playing(freeze);
    let rig = Rig::with(
        "[routes.users]\ntimeout_ms = 400\n",
        &[("", &[frozen.address])],
    );
    let asked = Instant::now();
    let answer = rig.get("/api/users");
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (504, "upstream_timeout")
    );
    assert!(
        (200..600).contains(&asked.elapsed().as_millis()),
        "{:?}",
        asked.elapsed()
    );
}

#[test]
fn nobody_to_ask_is_503_and_says_when_to_come_back() {
    let rig = Rig::with("", &[("users", &[])]);
    let answer = rig.get("/api/users");
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (503, "no_endpoint")
    );
    assert!(answer.header("retry-after").is_some());
}

#[test]
fn a_failing_service_is_left_alone_and_fails_fast() {
    let failing =
        Upstream::answering("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
    let rig = Rig::in_front_of(&failing);
    for _ in 0..5 {
        rig.ask("POST", "/api/orders", &[], b"{}");
    }
    let before = failing.count();
    let asked = Instant::now();
    let answer = rig.ask("POST", "/api/orders", &[], b"{}");
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(matches!(
        answer.code().as_str(),
        "circuit_open" | "no_endpoint"
    ));
    assert!(answer.header("retry-after").is_some());
    assert!(asked.elapsed() < Duration::from_millis(200));
    assert_eq!(failing.count(), before);
}

#[test]
fn a_route_with_a_fallback_answers_while_its_service_is_away() {
    let rig = Rig::with("", &[("recommendations", &[])]);
    let answer = rig.get("/api/recommendations/usr_7");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-gateway-fallback"), Some("static"));
    assert_eq!(answer.json()["source"], "popular");
    assert_eq!(
        rig.metric("lictor_fallbacks_total", &[("source", "static")]),
        1.0
    );

    let failing =
        Upstream::answering("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
    let rig = Rig::in_front_of(&failing);
    assert_eq!(
        rig.get("/api/recommendations/usr_7")
            .header("x-gateway-fallback"),
        Some("static")
    );

    let missing = Upstream::answering("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    let rig = Rig::in_front_of(&missing);
    assert_eq!(
        rig.get("/api/recommendations/usr_7").status,
        404,
        "a client's mistake is not papered over"
    );
}

#[test]
fn a_client_that_leaves_takes_its_upstream_call_along() {
    let slow = Upstream::playing(freeze);
    let rig = Rig::with(
        "[routes.users]\ntimeout_ms = 60000\n",
        &[("", &[slow.address])],
    );
    let mut wire = rig.connect();
    wire.send(&crate::rig::request("POST", "/api/users", &[], b"{}"));
    crate::wire::eventually(|| slow.count(), |count| *count == 1);
    drop(wire);
    let left = Instant::now();
    crate::wire::eventually(|| slow.open(), |open| *open == 0);
    assert!(
        left.elapsed() < Duration::from_secs(1),
        "{:?}",
        left.elapsed()
    );
    assert_eq!(
        rig.metric("lictor_ejections_total", &[]),
        0.0,
        "that is nobody's failure"
    );
}

#[test]
fn an_instance_that_says_it_leaves_is_the_last_choice() {
    let text = ok("{}").replace(
        "\r\n\r\n",
        "\r\nConnection: close\r\nX-Service-Draining: 1\r\n\r\n",
    );
    let leaving = Upstream::playing(move |turn| {
        turn.write(text.as_bytes());
        Then::Close
    });
    let well = Upstream::well();
    let rig = rig(&[leaving.address, well.address]);
    for _ in 0..20 {
        let answer = rig.get("/api/users");
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-service-draining"), None);
    }
    assert!(leaving.count() <= 1, "{}", leaving.count());
}
