//! What stands in for a read that failed, in which order, and what never does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use telemetry::testing;

use crate::{
    rig::{OTHER, Rig, request},
    upstream::{Then, Upstream, ok},
    wire::eventually,
};

const FAILURE: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";

/// An upstream that numbers its answers, until it is made sick.
struct Patient {
    upstream: Upstream,
    sick: Arc<AtomicBool>,
}

impl Patient {
    fn well() -> Self {
        let given = AtomicUsize::new(0);
        Self::saying(move |_| {
            let number = given.fetch_add(1, Ordering::SeqCst);
            ok(&format!("{{\"answer\":{number}}}"))
        })
    }

    fn saying(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let sick = Arc::new(AtomicBool::new(false));
        let state = sick.clone();
        let upstream = Upstream::playing(move |turn| {
            turn.read_body();
            if state.load(Ordering::SeqCst) {
                turn.write(FAILURE);
            } else {
                turn.write(answer(&turn.seen.line).as_bytes());
            }
            Then::Keep
        });
        Self { upstream, sick }
    }

    fn falls_sick(&self) {
        self.sick.store(true, Ordering::SeqCst);
    }
}

fn rig(patient: &Patient) -> Rig {
    Rig::in_front_of(&patient.upstream)
}

#[test]
fn the_last_good_answer_stands_in_and_says_what_it_is() {
    let orders = Patient::well();
    let rig = rig(&orders);
    assert_eq!(rig.get("/api/orders").json()["answer"], 0);
    let good = rig.get("/api/orders");
    assert_eq!(
        (
            good.json()["answer"].as_u64(),
            good.header("x-gateway-fallback")
        ),
        (Some(1), None),
        "a service that can answer is asked"
    );
    orders.falls_sick();
    // Long enough for the breaker to open: then nobody is asked, and the answer stands in all the same.
    for _ in 0..20 {
        let answer = rig.get("/api/orders");
        assert_eq!(
            (answer.status, &answer.body),
            (200, &good.body),
            "the last one"
        );
        assert_eq!(answer.header("x-gateway-fallback"), Some("cache"));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert!(answer.header("age").unwrap().parse::<u64>().unwrap() < 60);
        assert!(answer.header("ratelimit-remaining").is_some());
    }
    let head = rig.ask("HEAD", "/api/orders", &[], b"");
    assert_eq!(
        (head.status, head.header("x-gateway-fallback")),
        (200, Some("cache"))
    );
    assert_eq!(
        rig.metric("lictor_fallbacks_total", &[("source", "cache")]),
        21.0
    );
    assert_eq!(rig.metric("lictor_last_good_entries", &[]), 1.0);
    assert!(rig.metric("lictor_last_good_bytes", &[]) > good.body.len() as f64);
}

#[test]
fn the_trace_says_what_stood_in_and_that_a_breaker_was_open() {
    testing::keep();
    let orders = Patient::well();
    let rig = rig(&orders);
    rig.get("/api/orders");
    for upstream in rig.gateway.upstreams.values() {
        let mode = ::upstream::Mode::ForcedOpen;
        upstream.pool.set_breaker_mode(mode, Instant::now());
    }
    let answer = rig.get("/api/orders");
    assert_eq!(answer.header("x-gateway-fallback"), Some("cache"));
    let trace = testing::Trace::answered(answer.header("traceresponse").unwrap());
    // A span is kept when it has ended, a little after the answer.
    let name = "GET /api/orders";
    eventually(
        || trace.spans(),
        |spans| spans.iter().any(|span| span.name().starts_with(name)),
    );
    let spans = trace.spans();
    let server = spans.iter().find(|span| span.name().starts_with(name));
    let server = server.unwrap();
    assert_eq!(server.said("lictor.fallback").as_deref(), Some("cache"));
    let refused = trace.span("call refused");
    assert_eq!(refused.said("error.type").as_deref(), Some("circuit_open"));
    assert!(refused.is_child_of(server));
}

#[test]
fn a_personal_answer_is_given_to_nobody_else() {
    let orders = Patient::well();
    let rig = rig(&orders);
    assert_eq!(rig.get("/api/orders").status, 200);
    orders.falls_sick();
    let other = rig.ask("GET", "/api/orders", &[&format!("X-API-Key: {OTHER}")], b"");
    assert_eq!((other.status, other.body.len()), (500, 0), "{other:?}");
    assert_eq!(rig.get("/api/orders").status, 200);
}

#[test]
fn a_shared_answer_is_everybodys_who_asks_the_same() {
    let inventory = Patient::well();
    let rig = rig(&inventory);
    let path = "/api/inventory/items?page=1";
    let good = rig.get(path);
    inventory.falls_sick();
    for stranger in ["x-api-key", &format!("X-API-Key: {OTHER}")] {
        let answer = rig.ask("GET", path, &[stranger], b"");
        assert_eq!((answer.status, &answer.body), (200, &good.body));
    }
    for (path, header) in [
        ("/api/inventory/items?page=2", "x-other: 1"),
        (path, "Accept: text/html"),
        (path, "Cookie: a=1"),
    ] {
        let answer = rig.ask("GET", path, &[header], b"");
        assert!(answer.status >= 500, "{path} {header}: {answer:?}");
    }
}

#[test]
fn what_may_not_be_kept_or_is_no_good_answer_never_stands_in() {
    let with = |header: &str| ok("{}").replacen("\r\n", &format!("\r\n{header}\r\n"), 1);
    for answer in [
        with("Cache-Control: no-store"),
        with("Cache-Control: private, max-age=60"),
        with("Set-Cookie: a=1"),
        with("Vary: User-Agent"),
        ok("{}").replace("200 OK", "203 Transformed"),
        ok(&"x".repeat(5001)),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n".to_owned(),
    ] {
        let said = answer.clone();
        let orders = Patient::saying(move |_| said.clone());
        let rig = Rig::with(
            "[kept]\nanswer_bytes = 5000\n",
            &[("", &[orders.upstream.address])],
        );
        let good = rig.get("/api/orders");
        assert!(good.status < 300 && good.whole, "{good:?}");
        orders.falls_sick();
        assert_eq!(rig.get("/api/orders").status, 500, "{answer}");
        assert_eq!(rig.metric("lictor_last_good_entries", &[]), 0.0, "{answer}");
    }
}

#[test]
fn an_answer_gets_too_old() {
    let orders = Patient::well();
    let rig = Rig::with(
        "[routes.orders]\nlast_good_ms = 300\n",
        &[("", &[orders.upstream.address])],
    );
    assert_eq!(rig.get("/api/orders").status, 200);
    let asked = Instant::now();
    orders.falls_sick();
    eventually(|| rig.get("/api/orders").status, |status| *status >= 500);
    assert!(
        asked.elapsed() >= Duration::from_millis(300),
        "{:?}",
        asked.elapsed()
    );
}

#[test]
fn what_is_gone_upstream_does_not_come_back_from_memory() {
    let there = Arc::new(AtomicBool::new(true));
    let seen = there.clone();
    let orders = Patient::saying(move |_| {
        if seen.load(Ordering::SeqCst) {
            ok("{}")
        } else {
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned()
        }
    });
    let rig = rig(&orders);
    assert_eq!(rig.get("/api/orders/ord_1").status, 200);
    there.store(false, Ordering::SeqCst);
    assert_eq!(rig.get("/api/orders/ord_1").status, 404);
    orders.falls_sick();
    assert_eq!(rig.get("/api/orders/ord_1").status, 500);
}

#[test]
fn only_reads_have_something_in_their_place() {
    let orders = Patient::well();
    let rig = rig(&orders);
    assert_eq!(rig.get("/api/orders").status, 200);
    orders.falls_sick();
    let refused = rig.ask("POST", "/api/orders", &[], b"{}");
    assert_eq!(
        (refused.status, refused.header("x-gateway-fallback")),
        (500, None)
    );
}

#[test]
fn a_small_answer_that_is_cut_is_a_failure_with_something_in_its_place() {
    let cut = Arc::new(AtomicBool::new(false));
    let cutting = cut.clone();
    let orders = Upstream::playing(move |turn| {
        let cutting = cutting.load(Ordering::SeqCst);
        turn.write(if cutting {
            b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"half\":"
        } else {
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
        });
        if cutting { Then::Close } else { Then::Keep }
    });
    let rig = Rig::in_front_of(&orders);
    assert_eq!(rig.get("/api/orders").text(), "{}");
    cut.store(true, Ordering::SeqCst);
    let answer = rig.get("/api/orders");
    assert_eq!((answer.status, answer.text().as_str()), (200, "{}"));
    assert_eq!(answer.header("x-gateway-fallback"), Some("cache"));
    let nothing_kept = rig.get("/api/orders/ord_1");
    assert_eq!(
        (nothing_kept.status, nothing_kept.code().as_str()),
        (502, "upstream_bad_answer")
    );
}

#[test]
fn what_is_not_known_to_be_small_still_flows() {
    let orders = Upstream::playing(|turn| {
        turn.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
        turn.wait_at_the_gate();
        turn.write(b"3\r\ntwo\r\n0\r\n\r\n");
        Then::Keep
    });
    let rig = Rig::in_front_of(&orders);
    let mut wire = rig.connect();
    wire.send(&request("GET", "/api/orders", &[], b""));
    assert!(wire.head().starts_with("HTTP/1.1 200"));
    wire.skip(b"3\r\none\r\n".len() as u64);
    orders.open_gate();
    wire.skip(b"3\r\ntwo\r\n0\r\n\r\n".len() as u64);
}

/// Recommendations, with inventory behind them, and a fixed body behind that.
const THREE: &str = "[routes.recommendations]\nlast_good_ms = 0\nfallbacks = [\"stock\", \"popular_items\"]\n[fallbacks.stock]\nservice = \"inventory\"\npath = \"/inventory/items{rest}\"\n";

#[test]
fn another_service_is_asked_before_a_fixed_body_is_given() {
    let failing = Upstream::answering(FAILURE);
    let other = Patient::saying(|line| {
        if line.contains("usr_404") {
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned()
        } else {
            ok("{\"from\":\"stock\"}")
        }
    });
    let rig = Rig::with(
        THREE,
        &[
            ("recommendations", &[failing.address]),
            ("inventory", &[other.upstream.address]),
        ],
    );
    let answer = rig.get("/api/recommendations/usr_7?limit=3");
    assert_eq!(
        (answer.status, answer.header("x-gateway-fallback")),
        (200, Some("service")),
        "{answer:?}"
    );
    assert_eq!(answer.json()["from"], "stock");
    let seen = &other.upstream.seen()[0];
    assert_eq!(seen.line, "GET /inventory/items/usr_7?limit=3 HTTP/1.1");
    assert_eq!(seen.header("x-auth-subject"), Some("demo"));
    assert_eq!(seen.header("host"), Some("inventory"));
    let left: u64 = seen
        .header("x-request-timeout-ms")
        .unwrap()
        .parse()
        .unwrap();
    assert!(left < 1000, "{left}");

    let missing = rig.get("/api/recommendations/usr_404");
    assert_eq!(missing.header("x-gateway-fallback"), Some("static"));
    other.falls_sick();
    let fixed = rig.get("/api/recommendations/usr_7");
    assert_eq!(
        (fixed.header("x-gateway-fallback"), &fixed.json()["source"]),
        (Some("static"), &"popular".into())
    );
    assert_eq!(
        rig.metric("lictor_fallbacks_total", &[("source", "service")]),
        1.0
    );
}

#[test]
fn a_service_that_hangs_leaves_time_for_the_one_behind_it() {
    let frozen = Upstream::playing(|turn| {
        turn.wait_for_the_end();
        Then::Close
    });
    let other = Upstream::well();
    let rig = Rig::with(
        THREE,
        &[
            ("recommendations", &[frozen.address]),
            ("inventory", &[other.address]),
        ],
    );
    let asked = Instant::now();
    let answer = rig.get("/api/recommendations/usr_7");
    assert_eq!(
        answer.header("x-gateway-fallback"),
        Some("service"),
        "{answer:?}"
    );
    assert!(
        asked.elapsed() < Duration::from_millis(1000),
        "{:?}",
        asked.elapsed()
    );
}

#[test]
fn a_whole_dashboard_is_remembered_and_a_partial_one_is_told_as_it_is() {
    let stats = |line: &str| {
        if line.contains("users") {
            ok("{\"total_users\":3}")
        } else {
            ok(
                "{\"total_orders\":5,\"pending_orders\":1,\"completed_orders\":2,\"total_revenue_cents\":9900}",
            )
        }
    };
    let (users, orders) = (Patient::saying(stats), Patient::saying(stats));
    let rig = Rig::with(
        "",
        &[
            ("users", &[users.upstream.address]),
            ("orders", &[orders.upstream.address]),
        ],
    );
    let whole = rig.get("/api/dashboard");
    assert_eq!(whole.header("x-gateway-complete"), Some("true"));
    orders.falls_sick();
    let partial = rig.get("/api/dashboard");
    assert_eq!(
        (
            partial.header("x-gateway-complete"),
            partial.header("x-gateway-fallback")
        ),
        (Some("false"), None)
    );
    users.falls_sick();
    let remembered = rig.get("/api/dashboard");
    assert_eq!(remembered.header("x-gateway-fallback"), Some("cache"));
    assert_eq!(remembered.json(), whole.json());
}
