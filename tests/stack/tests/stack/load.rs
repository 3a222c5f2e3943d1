//! The load generator against servers that behave in known ways.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use stack::load::Step;
use stack::{Client, Journey, Load, Plan, Report};
use tokio::net::TcpListener;

/// Answers request number `n` as told: status, body, zone, delay.
async fn server(
    tell: impl Fn(u32) -> (u16, &'static str, &'static str, Duration) + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, count) = (Arc::new(tell), Arc::new(AtomicU32::new(0)));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (tell, count) = (tell.clone(), count.clone());
            let service = service_fn(move |_| {
                let (status, body, zone, delay) = tell(count.fetch_add(1, Ordering::Relaxed));
                async move {
                    tokio::time::sleep(delay).await;
                    let response = Response::builder()
                        .status(status)
                        .header("x-lictor-zone", zone);
                    Ok::<_, Infallible>(
                        response
                            .body(Full::new(Bytes::from_static(body.as_bytes())))
                            .unwrap(),
                    )
                }
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    address
}

async fn run(address: SocketAddr, rate: f64, duration: Duration) -> Report {
    let journey = Journey::of(vec![Step::get("one", "/one"), Step::get("two", "/two")]);
    Load::start(Plan { rate, duration }, Client::new(address), journey)
        .finish()
        .await
}

#[tokio::test]
async fn every_planned_request_is_sent_and_counted_by_route_and_zone() {
    let address = server(|number| {
        (
            200,
            "{}",
            if number % 4 == 0 { "b" } else { "a" },
            Duration::ZERO,
        )
    })
    .await;
    let report = run(address, 200.0, Duration::from_secs(1)).await;
    assert_eq!((report.requests, report.errors), (200, 0), "{report}");
    assert_eq!(
        (report.latency["one"].count, report.latency["all"].count),
        (100, 200)
    );
    assert!((report.share("a", 0..1) - 0.75).abs() < 0.01, "{report}");
}

#[tokio::test]
async fn statuses_and_partial_answers_are_errors_with_examples() {
    let address = server(|number| match number % 10 {
        0 => (503, r#"{"code":"no_endpoint"}"#, "a", Duration::ZERO),
        1 => (200, r#"{"partial":true}"#, "a", Duration::ZERO),
        _ => (200, "[]", "a", Duration::ZERO),
    });
    let report = run(address.await, 200.0, Duration::from_millis(500)).await;
    assert_eq!((report.requests, report.errors), (100, 20), "{report}");
    assert_eq!(report.kinds["status 503"].0, 10);
    assert_eq!(report.kinds["partial answer"].0, 10);
    assert_eq!(
        report.kinds["status 503"].1.len(),
        5,
        "the first few examples"
    );
    assert!(report.kinds["status 503"].1[0].what.contains("no_endpoint"));
}

#[tokio::test]
async fn a_stall_counts_for_every_request_it_kept_waiting() {
    // One connection's worth of patience is not what is measured: each request starts when it was meant to.
    let address = server(|number| {
        (
            200,
            "{}",
            "a",
            if number < 50 {
                Duration::from_millis(400)
            } else {
                Duration::ZERO
            },
        )
    })
    .await;
    let report = run(address, 100.0, Duration::from_secs(1)).await;
    let all = report.latency["all"];
    assert_eq!(all.count, 100);
    assert!(
        all.max >= 400.0 && all.p90 >= 400.0 && all.p50 >= 1.0,
        "{report}"
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_for_each_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let report = run(address, 100.0, Duration::from_millis(300)).await;
    assert_eq!(report.kinds["no connection"].0, 30, "{report}");
}

#[tokio::test]
async fn a_connection_that_the_server_closed_while_idle_is_not_an_error() {
    // Each connection serves one request and is then closed without a word.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                if stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                    let _ = stream
                        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
                        .await;
                }
            });
        }
    });
    let report = run(address, 50.0, Duration::from_secs(1)).await;
    assert_eq!((report.requests, report.errors), (50, 0), "{report}");
}

#[tokio::test]
async fn the_report_shows_when_a_zone_took_over() {
    let address = server(|number| {
        (
            200,
            "{}",
            if number < 100 { "a" } else { "b" },
            Duration::ZERO,
        )
    })
    .await;
    let journey = Journey::of(vec![Step::get("one", "/one")]);
    let load = Load::start(
        Plan {
            rate: 100.0,
            duration: Duration::from_secs(2),
        },
        Client::new(address),
        journey,
    );
    stack::wait::until("the second second", Duration::from_secs(5), || async {
        if load.elapsed() >= Duration::from_millis(1050) {
            Ok(())
        } else {
            Err("not yet".to_owned())
        }
    })
    .await
    .unwrap();
    load.mark("zone a down");
    let report = load.finish().await;
    assert!(
        report.share("a", 0..1) > 0.98 && report.share("a", 1..2) < 0.02,
        "{report}"
    );
    let text = report.to_string();
    assert!(
        text.contains("-- zone a down") && text.contains("0-0         a 100.0 %"),
        "{text}"
    );
}
