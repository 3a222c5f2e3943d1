//! Bodies that take long to come from the client: its time, not the upstream's.

use std::io;
use std::time::{Duration, Instant};

use actix_web::rt::time::sleep;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use http::Request;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use upstream::stream::{Connections, FailureKind, RequestBody, StreamConfig};
use upstream::{Mode, Outcome};

use super::scene::{Scene, answer, ok, read_request, upstream};

/// Ten bytes that come from the client at once, and ten more after that time; none: never.
fn upload(pause: Option<Duration>) -> RequestBody {
    let part = || Ok::<_, io::Error>(Bytes::from_static(b"0123456789"));
    let chunks =
        futures_util::stream::iter([part()]).chain(futures_util::stream::once(async move {
            match pause {
                Some(pause) => sleep(pause).await,
                None => std::future::pending().await,
            }
            part()
        }));
    RequestBody::stream(Some(20), chunks.boxed_local())
}

fn post(body: RequestBody) -> Request<RequestBody> {
    Request::post("/")
        .header("host", "shop")
        .body(body)
        .unwrap()
}

/// What the gateway does with one upload; how it ended.
async fn send(scene: &Scene, body: RequestBody, within: Duration) -> Result<u16, FailureKind> {
    let connections = Connections::new(StreamConfig::default());
    let now = Instant::now();
    let mut call = scene.pool.admit(now).unwrap();
    let mut lease = call.lease(false, now).unwrap();
    let flow = body.flow().unwrap();
    let sending = connections.send(lease.endpoint().address, post(body), now + within);
    let sent = call.watch(Some(&flow), sending).await;
    let now = Instant::now();
    let outcome = match &sent {
        Ok(answer) => Outcome::Answered {
            status: answer.status().as_u16(),
            retry_after: None,
        },
        Err(failure) => failure.outcome(),
    };
    lease.waited_for_client(flow.awaited(now));
    lease.settle(&outcome, now);
    call.settle(&outcome, now);
    sent.map(|answer| answer.status().as_u16())
        .map_err(|failure| failure.kind)
}

#[actix_web::test]
async fn a_slow_upload_does_not_make_the_upstream_slow() {
    let scene = Scene::of(&[upstream(|stream| answer(stream, ok("1"))).await]);
    let slow = Some(Duration::from_millis(1_200));
    let within = Duration::from_secs(5);
    let sent = join_all((0..12).map(|_| send(&scene, upload(slow), within))).await;
    assert_eq!(sent, [Ok(200); 12]);
    let status = scene.pool.status(Instant::now());
    assert!(status.breaker.last_transition.is_none(), "{status:?}");
    assert!(
        status.endpoints[0].latency_us.unwrap() < 100_000,
        "{status:?}"
    );
}

#[actix_web::test]
async fn an_upstream_that_reads_an_upload_late_is_slow_though_its_client_was_quick() {
    const PART: &[u8] = &[b'x'; 64 * 1024];
    // More than all buffers of loopback hold.
    const PARTS: usize = 1024;
    let late = Duration::from_millis(1_200);
    let reads_late = upstream(move |mut stream| async move {
        sleep(late).await;
        let mut block = vec![0; 256 * 1024];
        let mut left = PART.len() * PARTS;
        while left > 0 {
            left = left.saturating_sub(stream.read(&mut block).await.unwrap());
        }
        stream.write_all(ok("1").as_bytes()).await.unwrap();
        while stream.read(&mut block).await.is_ok_and(|read| read > 0) {}
    });
    let scene = Scene::of(&[reads_late.await]);
    let chunks = futures_util::stream::iter((0..PARTS).map(|_| Ok(Bytes::from_static(PART))));
    let length = Some((PART.len() * PARTS) as u64);
    let body = RequestBody::stream(length, chunks.boxed_local());
    assert_eq!(send(&scene, body, Duration::from_secs(20)).await, Ok(200));
    let status = scene.pool.status(Instant::now());
    assert!(
        status.endpoints[0].latency_us.unwrap() >= 1_000_000,
        "{status:?}"
    );
}

#[actix_web::test]
async fn an_upload_that_does_not_end_in_time_is_the_clients_and_silence_after_it_the_upstreams() {
    let silent =
        upstream(|mut stream| async move { while read_request(&mut stream).await.is_some() {} });
    let scene = Scene::of(&[silent.await]);
    let within = Duration::from_millis(100);
    for _ in 0..10 {
        let late = send(&scene, upload(None), within).await;
        assert_eq!(late, Err(FailureKind::RequestLate));
    }
    let status = scene.pool.status(Instant::now());
    assert_eq!(
        (status.breaker.state, status.endpoints[0].ejection),
        ("closed", "closed")
    );
    for _ in 0..5 {
        let silence = send(&scene, upload(Some(Duration::ZERO)), within).await;
        assert_eq!(silence, Err(FailureKind::Timeout));
    }
    assert_eq!(scene.breaker(), "open");
}

#[actix_web::test]
async fn an_upstream_that_does_not_answer_after_an_upload_is_slow_from_its_end_on() {
    let silent =
        upstream(|mut stream| async move { while read_request(&mut stream).await.is_some() {} });
    let scene = Scene::of(&[silent.await]);
    scene.pool.set_breaker_mode(Mode::Observe, Instant::now());
    let begun = Instant::now();
    let pause = Duration::from_millis(600);
    let sends =
        join_all((0..10).map(|_| send(&scene, upload(Some(pause)), Duration::from_secs(5))));
    let opens = super::scene::until("the breaker opens", || scene.breaker() == "open");
    futures_util::future::select(Box::pin(sends), Box::pin(opens)).await;
    // The pause is the client's, and a call is slow a second after it; at five seconds it would have
    // timed out. That it is `consecutive_slow` says that nothing had.
    let took = begun.elapsed();
    assert!(took >= pause + Duration::from_secs(1), "{took:?}");
    let breaker = scene.pool.status(Instant::now()).breaker;
    assert_eq!(breaker.last_transition.unwrap().reason, "consecutive_slow");
}
