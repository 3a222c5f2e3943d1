//! One sick instance, a sick service, and the difference.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use upstream::{Mode, Outcome};

use super::scene::{Scene, answer, nobody, ok, read_request, until, upstream};

/// A call that takes so long is slow, unless said otherwise.
const SLOW_CALL: Duration = Duration::from_secs(1);
/// A machine that takes seconds for twenty calls sees more than one, each wait twice as long.
const MOST_PROBES: u32 = 3;

async fn frozen() -> SocketAddr {
    upstream(|mut stream| async move { while read_request(&mut stream).await.is_some() {} }).await
}

async fn well() -> SocketAddr {
    upstream(|stream| answer(stream, ok("1"))).await
}

async fn saying(head: &'static str) -> SocketAddr {
    upstream(move |stream| async move {
        answer(
            stream,
            format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\n\r\n"),
        )
        .await;
    })
    .await
}

fn ejected(scene: &Scene) -> Vec<String> {
    let seats = scene.pool.status(Instant::now()).endpoints.into_iter();
    let out = seats.filter(|seat| seat.ejection == "open");
    out.map(|seat| seat.id).collect()
}

#[actix_web::test]
async fn a_frozen_endpoint_of_two_is_ejected_and_the_service_stays_in_use() {
    let scene = Scene::with(&[frozen().await, well().await], r#""timeout_ms": 200"#);
    let failed = join_all((0..40).map(|_| scene.get())).await;
    let failed = failed.iter().filter(|result| result.is_err()).count();
    assert!(failed >= 10, "{failed} of 40 met the frozen one");
    assert_eq!(
        (ejected(&scene), scene.breaker()),
        (vec!["shop-0".to_owned()], "closed")
    );
    // After half a second at the earliest one of them may be the probe of the frozen one; its next is
    // a second away, and that one fails as well.
    let mut probes = 0;
    for _ in 0..20 {
        match scene.get().await {
            Ok(answer) => assert_eq!(answer, 1),
            Err(error) => {
                assert_eq!(error.code, "upstream_timeout");
                probes += 1;
            }
        }
    }
    assert!(probes <= MOST_PROBES, "{probes} of 20 met the frozen one");
    assert_eq!(scene.breaker(), "closed");
}

#[actix_web::test]
async fn endpoints_that_all_fail_open_the_breaker_within_ten_calls() {
    for count in 1..=4 {
        let mut addresses = Vec::new();
        for _ in 0..count {
            addresses.push(saying("500 Oh No").await);
        }
        let scene = Scene::of(&addresses);
        let mut calls = 0;
        while scene.breaker() == "closed" {
            assert_eq!(scene.get().await.unwrap_err().status, 500);
            calls += 1;
            assert!(calls <= 10, "{calls} calls failed on {count} endpoints");
        }
        assert!(calls >= 5, "{calls} calls failed on {count} endpoints");
    }
}

#[actix_web::test]
async fn endpoints_that_are_all_slow_open_the_breaker_with_the_tenth_slow_call() {
    let scene = Scene::with(&[frozen().await, frozen().await], r#""timeout_ms": 10000"#);
    let started = Instant::now();
    // Ten seconds are the calls' own limit: opening before that says that slowness counted, not the end.
    let calls = join_all((0..10).map(|_| scene.get()));
    let opens = until("the breaker opens", || scene.breaker() == "open");
    futures_util::future::select(Box::pin(calls), Box::pin(opens)).await;
    assert!(started.elapsed() >= SLOW_CALL, "{:?}", started.elapsed());
    let breaker = scene.pool.status(Instant::now()).breaker;
    assert_eq!(breaker.last_transition.unwrap().reason, "consecutive_slow");
}

#[actix_web::test]
async fn an_upstream_that_asks_for_less_is_left_alone_but_not_cut_off() {
    let busy = ["429 Too Many Requests", "503 Busy\r\nretry-after: 1"];
    for head in busy {
        let scene = Scene::of(&[saying(head).await]);
        for _ in 0..30 {
            assert!(scene.get().await.is_err());
        }
        assert_eq!(scene.breaker(), "closed", "{head}");
    }
    let scene = Scene::of(&[saying(busy[1]).await, well().await]);
    let answers = join_all((0..10).map(|_| scene.get())).await;
    assert!(answers.iter().any(Result::is_err));
    for _ in 0..20 {
        assert_eq!(scene.get().await.unwrap(), 1);
    }
}

#[actix_web::test]
async fn a_call_for_which_there_is_no_endpoint_counts_as_nothing() {
    let scene = Scene::of(&[nobody(), nobody()]);
    assert_eq!(scene.get().await.unwrap_err().code, "upstream_unreachable");
    assert_eq!(ejected(&scene).len(), 2);
    for _ in 0..100 {
        assert_eq!(scene.get().await.unwrap_err().code, "no_endpoint");
    }
    let breaker = scene.pool.status(Instant::now()).breaker;
    assert!(breaker.last_transition.is_none(), "{breaker:?}");
}

#[actix_web::test]
async fn a_call_under_way_makes_no_other_attempt_once_the_breaker_has_opened() {
    let scene = Scene::of(&[nobody(), nobody()]);
    let now = Instant::now();
    let mut under_way = scene.pool.admit(now).unwrap();
    under_way.lease(true, now).unwrap();
    for (mode, another) in [
        (Mode::Auto, true),
        (Mode::Observe, true),
        (Mode::ForcedOpen, false),
    ] {
        scene.pool.set_breaker_mode(mode, now);
        assert_eq!(under_way.lease(true, now).is_ok(), another, "{mode:?}");
    }
    scene.pool.set_breaker_mode(Mode::Auto, now);
    // Failures in a row count once two endpoints had a part in them, and who is picked is chance.
    for _ in 0..50 {
        let Ok(mut failing) = scene.pool.admit(now) else {
            break;
        };
        failing.lease(true, now).unwrap();
        failing.settle(&Outcome::Reset, now);
    }
    assert_eq!(scene.breaker(), "open");
    let refused = under_way.lease(true, now).unwrap_err();
    assert_eq!(refused.code, "circuit_open");
}
