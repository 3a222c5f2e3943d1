//! What travels, and what comes back.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use upstream::{Deadline, Origin};

use super::scene::{Scene, answer, nobody, ok, read_request, upstream};
use tokio::io::AsyncWriteExt as _;

#[actix_web::test]
async fn the_subject_the_key_the_remaining_time_and_the_trace_travel_along() {
    let mirror = upstream(|mut stream| async move {
        while let Some(request) = read_request(&mut stream).await {
            let said = ok(&json!(request).to_string());
            stream.write_all(said.as_bytes()).await.unwrap();
        }
    });
    let address = mirror.await;
    let scene = Scene::of(&[address]);
    let deadline = Deadline::after(Instant::now(), Duration::from_millis(700));
    let call = scene
        .client
        .post("/orders?draft=1")
        .subject(Some("usr_1"))
        .idempotency_key("k-1");
    let request: String = call
        .deadline(deadline)
        .json(&json!({"sku": "LAMP"}))
        .send()
        .await
        .unwrap();
    assert!(
        request.starts_with("POST /orders?draft=1 HTTP/1.1\r\n"),
        "{request}"
    );
    let header = |name: &str| {
        let line = request
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_else(|| panic!("no {name} in {request}"))
            .to_owned()
    };
    assert_eq!(header("host"), address.to_string());
    assert_eq!(header("x-auth-subject"), "usr_1");
    assert_eq!(header("idempotency-key"), "k-1");
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("traceparent").len(), 55);
    let left: u64 = header("x-request-timeout-ms").parse().unwrap();
    assert!((1..700).contains(&left), "{left}");
    assert!(!request.contains("accept-encoding"), "{request}");
    assert!(request.ends_with(r#"{"sku":"LAMP"}"#), "{request}");
}

#[actix_web::test]
async fn each_instance_answers_for_itself() {
    let one = upstream(|stream| answer(stream, ok("1"))).await;
    let two = upstream(|stream| answer(stream, ok("2"))).await;
    let scene = Scene::of(&[one, two]);
    let mut answers = [0, 0];
    for _ in 0..40 {
        let who: usize = scene.client.get("/").send().await.unwrap();
        answers[who - 1] += 1;
    }
    assert!(answers[0] > 0 && answers[1] > 0, "{answers:?}");
    assert_eq!(
        scene
            .metric(r#"lictor_picks_total{reason="local",upstream="shop"}"#)
            .as_deref(),
        Some("40")
    );
    assert_eq!(scene.in_flight(), 0);
}

#[actix_web::test]
async fn an_error_of_the_upstream_keeps_its_code_its_status_and_its_field() {
    let address = upstream(|stream| async {
        let body = r#"{"code":"out_of_stock","detail":"none left","field":"items[0].sku"}"#;
        let head =
            "HTTP/1.1 409 Conflict\r\ncontent-type: application/problem+json\r\nretry-after: 7";
        answer(
            stream,
            format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()),
        )
        .await;
    });
    let error = Scene::of(&[address.await]).get().await.unwrap_err();
    assert_eq!(
        (error.origin, error.status, &*error.code),
        (Origin::Upstream, 409, "out_of_stock")
    );
    assert_eq!(
        (error.detail.as_str(), error.field.as_deref()),
        ("none left", Some("items[0].sku"))
    );
    assert_eq!(error.retry_after, Some(Duration::from_secs(7)));
}

#[actix_web::test]
async fn a_refused_instance_is_passed_over_and_ejected() {
    let well = upstream(|stream| answer(stream, ok("1"))).await;
    let scene = Scene::of(&[nobody(), well, nobody()]);
    for _ in 0..20 {
        assert_eq!(scene.client.post("/").send::<Value>().await.unwrap(), 1);
    }
    let out = scene
        .pool
        .status(Instant::now())
        .endpoints
        .into_iter()
        .filter(|seat| seat.ejection == "open");
    let out: Vec<String> = out.map(|seat| seat.id).collect();
    assert!(
        !out.is_empty() && !out.contains(&"shop-1".to_owned()),
        "{out:?}"
    );
    assert_eq!(
        scene.metric(r#"lictor_ejected_endpoints{upstream="shop"}"#),
        Some(out.len().to_string())
    );
    assert_eq!(scene.breaker(), "closed");
}

#[actix_web::test]
async fn when_everybody_refuses_the_call_fails_and_so_it_is_counted() {
    let scene = Scene::of(&[nobody()]);
    let error = scene.get().await.unwrap_err();
    assert_eq!(
        (error.origin, error.status, &*error.code),
        (Origin::Transport, 502, "upstream_unreachable")
    );
    let error = scene.get().await.unwrap_err();
    assert_eq!(
        (error.origin, error.status, &*error.code),
        (Origin::Own, 503, "no_endpoint")
    );
    assert!(
        error
            .retry_after
            .is_some_and(|wait| wait <= Duration::from_secs(2))
    );
    assert_eq!(scene.in_flight(), 0);
}

#[actix_web::test]
async fn a_call_made_wrongly_is_not_the_upstreams_failure() {
    let scene = Scene::of(&[upstream(|stream| answer(stream, ok("1"))).await]);
    for _ in 0..10 {
        let error = scene
            .client
            .get("/")
            .subject(Some("two\nlines"))
            .send_empty()
            .await
            .unwrap_err();
        assert_eq!(
            (error.origin, error.status, &*error.code),
            (Origin::Own, 500, "upstream_call_invalid")
        );
    }
    assert_eq!(scene.breaker(), "closed");
    assert_eq!(scene.get().await.unwrap(), 1);
}
