//! What an outcome says, and of whom: late callers, rules for retries, places given back.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt;
use futures_util::future::join_all;
use resilience::backoff::Backoff;
use resilience::retry::Retry;
use tokio::io::AsyncWriteExt as _;
use upstream::{Deadline, Outcome, Over};

use upstream::stream::{Connections, FailureKind, RequestBody, StreamConfig};

use super::scene::{Scene, answer, deaf, ok, read_request, until, upstream};

const TIME_IS_UP: &str = "HTTP/1.1 504 Gateway Timeout\r\ncontent-length: 0\r\n\r\n";
const BROKEN: &str = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";

const BUSY: &str = "HTTP/1.1 503 Busy\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n";

fn rule() -> Retry {
    Retry {
        backoff: Backoff::new(Duration::from_millis(1), Duration::from_millis(2)),
        ..Retry::default()
    }
}

#[actix_web::test]
async fn an_upstream_that_says_that_a_short_time_is_up_has_not_failed() {
    let peer = upstream(|stream| answer(stream, TIME_IS_UP)).await;
    let scene = Scene::with(&[peer], r#""timeout_ms": 20000"#);
    for _ in 0..10 {
        let deadline = Deadline::after(Instant::now(), Duration::from_secs(10));
        let call = scene.client.get("/").deadline(deadline);
        assert_eq!(call.send_empty().await.unwrap_err().status, 504);
    }
    assert_eq!(scene.breaker(), "closed");
    let ejected = scene.metric(r#"lictor_ejected_endpoints{upstream="shop"}"#);
    assert_eq!(ejected.as_deref(), Some("0"));
    // With all the time that is configured it has.
    for _ in 0..5 {
        scene.get().await.unwrap_err();
    }
    assert_eq!(scene.breaker(), "open");
}

#[actix_web::test]
async fn a_wait_that_the_upstream_asked_for_makes_no_call_slow() {
    /// At a time, so that the budget has a retry for each.
    const CALLS: usize = 3;
    /// Twelve calls: ten slow ones in a row open the breaker.
    const TIMES: usize = 4;
    let count = Rc::new(Cell::new(0));
    let served = count.clone();
    let peer = upstream(move |mut stream| {
        let asked = served.clone();
        async move {
            while read_request(&mut stream).await.is_some() {
                let first = asked.get() % (2 * CALLS) < CALLS;
                asked.set(asked.get() + 1);
                let said = if first { BUSY.to_owned() } else { ok("1") };
                stream.write_all(said.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let scene = Scene::with(&[peer], r#""timeout_ms": 5000"#);
    let rule = rule();
    for _ in 0..TIMES {
        let call = || scene.client.get("/").retried_by(&rule).send_empty();
        let answered = join_all((0..CALLS).map(|_| call())).await;
        assert!(answered.iter().all(Result::is_ok), "{answered:?}");
    }
    assert_eq!(count.get(), 2 * CALLS * TIMES, "each was asked for twice");
    let breaker = scene.pool.status(Instant::now()).breaker;
    assert!(breaker.last_transition.is_none(), "{breaker:?}");
}

#[actix_web::test]
async fn no_connection_is_excused_by_a_late_caller_only_if_that_shortened_the_time_for_it() {
    let scene = Scene::with(
        &[deaf().await],
        r#""timeout_ms": 20000, "connect_timeout_ms": 100"#,
    );
    let call = async |given| {
        let deadline = Deadline::after(Instant::now(), Duration::from_millis(given));
        let call = scene.client.get("/").deadline(deadline);
        call.send_empty().await.unwrap_err().code
    };
    for _ in 0..10 {
        assert_eq!(call(10).await, "deadline_exceeded");
    }
    assert_eq!(scene.breaker(), "closed");
    // Less than the call's own time, and all that connecting has.
    for _ in 0..5 {
        assert_eq!(call(10_000).await, "upstream_unreachable");
    }
    assert_eq!(scene.breaker(), "open");
}

#[actix_web::test]
async fn a_stream_tells_a_connection_that_had_all_its_time_from_one_that_had_less() {
    let address = deaf().await;
    let connections = Connections::new(StreamConfig {
        connect_timeout: Duration::from_millis(100),
        ..StreamConfig::default()
    });
    for (given, kind, outcome) in [
        (10, FailureKind::Timeout, Outcome::DeadlineShort),
        (10_000, FailureKind::ConnectTimeout, Outcome::ConnectTimeout),
    ] {
        let request = http::Request::get("/").body(RequestBody::Empty).unwrap();
        let until = Instant::now() + Duration::from_millis(given);
        let failure = connections.send(address, request, until).await.unwrap_err();
        assert_eq!((failure.kind, failure.written), (kind, false));
        assert_eq!(failure.outcome().in_too_little_time(), outcome);
    }
}

#[actix_web::test]
async fn a_rule_for_retries_makes_a_failed_call_again_elsewhere_and_a_call_without_one_is_made_once()
 {
    let broken = upstream(|stream| answer(stream, BROKEN)).await;
    let well = upstream(|stream| answer(stream, ok("1"))).await;
    let mut failed = 0;
    // A new pool each time: it would remember who failed.
    for _ in 0..20 {
        let scene = Scene::of(&[broken, well]);
        failed += u32::from(scene.get().await.is_err());
        let scene = Scene::of(&[broken, well]);
        let call = scene.client.get("/").retried_by(&rule());
        let deadline = Deadline::after(Instant::now(), Duration::from_secs(10));
        assert_eq!(call.deadline(deadline).send::<u32>().await.unwrap(), 1);
    }
    assert!(failed > 0, "the broken one was asked, and once only");
}

#[actix_web::test]
async fn the_step_to_another_attempt_is_one_for_every_caller() {
    let scene = Scene::with(&[deaf().await], r#""most_in_flight": 1"#);
    let now = Instant::now();
    let deadline = Deadline::after(now, Duration::from_secs(10));
    let mut call = scene.pool.admit(now).unwrap();
    let mut lease = call.lease(true, now).unwrap();
    let over = Over {
        idempotent: true,
        outcome: &Outcome::AttemptTimeout,
        written: true,
        replayable: true,
    };
    let once = Over {
        idempotent: false,
        ..over
    };
    // Refused, it keeps its place, which an answer may still need.
    let refused = call.another(&rule(), once, deadline, &mut lease).await;
    assert_eq!(refused.err(), Some("not_idempotent"));
    let count = |name: &str, reason: &str| {
        scene.metric(&format!(r#"{name}{{reason="{reason}",upstream="shop"}}"#))
    };
    let not_retried = count("lictor_retries_refused_total", "not_idempotent");
    assert_eq!(not_retried.as_deref(), Some("1"));
    let full = scene.pool.admit(now).unwrap().lease(true, now).unwrap_err();
    assert_eq!(full.code, "bulkhead_full");
    // Allowed, it gives the only place to the next attempt.
    let next = call.another(&rule(), over, deadline, &mut lease).await;
    assert!(next.is_ok());
    let retried = count("lictor_retries_total", "timeout");
    assert_eq!(retried.as_deref(), Some("1"));
}

#[actix_web::test]
async fn a_final_refusal_is_not_made_again_whatever_the_rule() {
    for status in [
        "501 Not Implemented",
        "505 HTTP Version Not Supported",
        "404 Not Found",
    ] {
        let text = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        let scene = Scene::of(&[upstream(move |stream| answer(stream, text.clone())).await]);
        let call = scene.client.get("/").retried_by(&rule());
        let deadline = Deadline::after(Instant::now(), Duration::from_secs(10));
        call.deadline(deadline).send_empty().await.unwrap_err();
        let picks = scene.metric(r#"lictor_picks_total{reason="local",upstream="shop"}"#);
        assert_eq!(picks.as_deref(), Some("1"), "{status}");
    }
}

#[actix_web::test]
async fn as_many_calls_reach_an_upstream_as_it_has_places() {
    let reached = Rc::new(Cell::new(0));
    let counter = reached.clone();
    let hangs = upstream(move |mut stream| {
        let counter = counter.clone();
        async move {
            while read_request(&mut stream).await.is_some() {
                counter.set(counter.get() + 1);
            }
        }
    });
    let scene = Scene::with(
        &[hangs.await],
        r#""timeout_ms": 20000, "most_in_flight": 150"#,
    );
    let mut calls = Vec::new();
    // In two halves: a listener's queue is shorter than all of them.
    for half in [75, 150] {
        calls.extend((calls.len()..half).map(|_| {
            let client = scene.client.clone();
            rt::spawn(async move { client.get("/").send_empty().await })
        }));
        until("all of them arrive", || reached.get() == half).await;
    }
    assert_eq!(scene.get().await.unwrap_err().code, "bulkhead_full");
    calls.iter().for_each(rt::task::JoinHandle::abort);
    join_all(calls).await;
    assert_eq!(scene.in_flight(), 0);
}
