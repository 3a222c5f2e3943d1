//! Time, slowness, failures, places.

use std::time::{Duration, Instant};

use actix_web::rt;
use futures_util::future::join_all;
use telemetry::testing::Trace;
use upstream::{Deadline, Mode, Origin};

use super::scene::{Scene, answer, nobody, ok, read_request, until, upstream};

async fn hangs() -> std::net::SocketAddr {
    upstream(|mut stream| async move { while read_request(&mut stream).await.is_some() {} }).await
}

#[actix_web::test]
async fn five_timeouts_open_the_breaker_and_then_calls_fail_at_once() {
    let scene = Scene::with(&[hangs().await], r#""timeout_ms": 30"#);
    for _ in 0..5 {
        let error = scene.get().await.unwrap_err();
        assert_eq!(
            (error.origin, error.status, &*error.code),
            (Origin::Transport, 504, "upstream_timeout")
        );
    }
    let picks = || scene.metric(r#"lictor_picks_total{reason="local",upstream="shop"}"#);
    let before = picks();
    let error = scene.get().await.unwrap_err();
    // How soon that is, is measured where nothing else runs: here it is that nobody was asked.
    assert_eq!((picks(), before.as_deref()), (before.clone(), Some("5")));
    assert_eq!(
        (error.origin, error.status, &*error.code),
        (Origin::Own, 503, "circuit_open")
    );
    assert!(
        error
            .retry_after
            .is_some_and(|wait| wait > Duration::from_secs(3))
    );
    assert_eq!(
        scene
            .metric(r#"lictor_breaker_state{upstream="shop"}"#)
            .as_deref(),
        Some("2")
    );
    assert_eq!(
        scene
            .metric(r#"lictor_breaker_transitions_total{to="open",upstream="shop"}"#)
            .as_deref(),
        Some("1")
    );
    assert_eq!(
        scene
            .metric(r#"lictor_calls_refused_total{reason="circuit_open",upstream="shop"}"#)
            .as_deref(),
        Some("1")
    );
    let breaker = scene.pool.status(Instant::now()).breaker;
    assert_eq!(
        breaker.last_transition.unwrap().reason,
        "consecutive_failures"
    );
}

#[actix_web::test]
async fn a_caller_with_less_than_the_timeout_is_nobodys_failure() {
    let scene = Scene::with(&[hangs().await], r#""timeout_ms": 2000"#);
    for _ in 0..10 {
        let deadline = Deadline::after(Instant::now(), Duration::from_millis(10));
        let error = scene
            .client
            .get("/")
            .deadline(deadline)
            .send_empty()
            .await
            .unwrap_err();
        assert_eq!(
            (error.origin, error.status, &*error.code),
            (Origin::Own, 504, "deadline_exceeded")
        );
    }
    assert_eq!(scene.breaker(), "closed");
    assert_eq!(
        scene
            .metric(r#"lictor_ejected_endpoints{upstream="shop"}"#)
            .as_deref(),
        Some("0")
    );
}

#[actix_web::test]
async fn no_time_left_is_no_call() {
    let scene = Scene::of(&[nobody()]);
    let error = scene
        .client
        .get("/")
        .deadline(Deadline::after(Instant::now(), Duration::ZERO))
        .send_empty()
        .await;
    assert_eq!(error.unwrap_err().code, "deadline_exceeded");
    assert_eq!(
        scene
            .metric(r#"lictor_picks_total{reason="local",upstream="shop"}"#)
            .as_deref(),
        Some("0")
    );
}

#[actix_web::test]
async fn ten_slow_calls_open_the_breaker_while_they_still_run() {
    let scene = Scene::with(&[hangs().await], r#""timeout_ms": 10000"#);
    let calls: Vec<_> = (0..10)
        .map(|_| {
            rt::spawn({
                let client = scene.client.clone();
                async move { client.get("/").send_empty().await }
            })
        })
        .collect();
    until("the breaker opens", || scene.breaker() == "open").await;
    assert_eq!(scene.in_flight(), 10);
    let reason = scene
        .pool
        .status(Instant::now())
        .breaker
        .last_transition
        .unwrap()
        .reason;
    assert_eq!(reason, "consecutive_slow");
    calls.iter().for_each(rt::task::JoinHandle::abort);
}

#[actix_web::test]
async fn a_dropped_call_gives_everything_back_and_counts_nothing() {
    let scene = Scene::with(&[hangs().await], r#""timeout_ms": 10000"#);
    for _ in 0..10 {
        let call = scene.get();
        assert!(
            rt::time::timeout(Duration::from_millis(5), call)
                .await
                .is_err()
        );
    }
    assert_eq!(scene.in_flight(), 0);
    assert_eq!(
        scene
            .metric(r#"lictor_upstream_in_flight{upstream="shop"}"#)
            .as_deref(),
        Some("0")
    );
    assert_eq!(scene.breaker(), "closed");
}

#[actix_web::test]
async fn a_full_bulkhead_refuses_at_once() {
    let scene = Scene::with(
        &[hangs().await],
        r#""timeout_ms": 300, "most_in_flight": 2"#,
    );
    let calls = join_all((0..3).map(|_| scene.get())).await;
    let mut codes: Vec<_> = calls
        .into_iter()
        .map(|result| result.unwrap_err().code)
        .collect();
    codes.sort();
    assert_eq!(
        codes,
        ["bulkhead_full", "upstream_timeout", "upstream_timeout"]
    );
    assert_eq!(
        scene
            .metric(r#"lictor_upstream_in_flight{upstream="shop"}"#)
            .as_deref(),
        Some("0")
    );
}

#[actix_web::test]
async fn an_operator_can_hold_the_breaker_open() {
    let scene = Scene::of(&[upstream(|stream| answer(stream, ok("1"))).await]);
    scene
        .pool
        .set_breaker_mode(Mode::ForcedOpen, Instant::now());
    let refused = scene.get().await.unwrap_err();
    assert_eq!(refused.code, "circuit_open");
    assert_eq!(refused.detail, "an operator holds back calls to shop");
    assert_eq!(
        scene.pool.status(Instant::now()).breaker.mode,
        "forced_open"
    );
    scene.pool.set_breaker_mode(Mode::Auto, Instant::now());
    assert_eq!(scene.get().await.unwrap(), 1);
}

#[actix_web::test]
async fn a_call_that_was_never_made_is_seen_in_the_trace() {
    let scene = Scene::of(&[upstream(|stream| answer(stream, ok("1"))).await]);
    let (held_back, forsaken, nobody_s) = (Trace::sampled(), Trace::sampled(), Trace::unsampled());
    scene
        .pool
        .set_breaker_mode(Mode::ForcedOpen, Instant::now());
    for trace in [&held_back, &nobody_s] {
        assert!(trace.run(scene.get()).await.is_err());
    }
    assert!(forsaken.run(Scene::of(&[]).get()).await.is_err());
    for (trace, error_type, breaker) in [
        (held_back, "circuit_open", "open"),
        (forsaken, "no_endpoint", "closed"),
    ] {
        let refused = trace.span("call refused");
        let said = |key| refused.said(key);
        assert!(refused.failed() && !refused.is_client());
        assert_eq!(said("error.type").as_deref(), Some(error_type));
        assert_eq!(said("lictor.breaker_state").as_deref(), Some(breaker));
        assert_eq!(said("lictor.upstream").as_deref(), Some("shop"));
        assert_eq!(trace.spans().len(), 1, "nothing was sent");
    }
    assert!(nobody_s.spans().is_empty());
}
