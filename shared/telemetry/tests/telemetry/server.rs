//! When a request ends, and what is said of it: in memory, without sockets.

use std::panic::AssertUnwindSafe;

use actix_web::{
    App, HttpResponse,
    body::{BodySize, MessageBody},
    dev::Service,
    test, web,
};
use futures_util::FutureExt;
use opentelemetry::trace::{SpanKind, Status, TracerProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;
use prometheus::Registry;
use telemetry::{
    http::{Observe, ServerMetrics},
    logs::JsonLines,
    metrics::text,
};
use tracing_subscriber::{fmt, layer::SubscriberExt};

use crate::watched::{Lines, Watched, get, labels, said};

#[actix_web::test]
async fn a_request_ends_with_the_last_byte_of_its_body() {
    for path in ["/whole", "/stream"] {
        let watched = Watched::new();
        let app = watched.app().await;
        let response = app.call(get(path)).await.unwrap();
        assert!(watched.active(), "{path}");
        assert!(
            watched.exporter.get_finished_spans().unwrap().is_empty(),
            "{path}"
        );
        test::read_body(response).await;
        assert!(!watched.active(), "{path}");
        assert!(
            watched.counted(&labels("", path, 200)),
            "{}",
            text(&watched.registry)
        );
        let span = watched.span();
        assert_eq!(span.name, format!("GET {path}"));
        assert_eq!(span.span_kind, SpanKind::Server);
        assert_eq!(span.status, Status::Unset);
    }
}

#[actix_web::test]
async fn an_answer_without_a_body_is_complete_though_nobody_polls_it() {
    let watched = Watched::new();
    let app = watched.app().await;
    drop(app.call(get("/empty")).await.unwrap());
    assert!(
        watched.counted(&labels("", "/empty", 204)),
        "{}",
        text(&watched.registry)
    );
}

#[actix_web::test]
async fn the_length_of_a_body_stays_known() {
    let watched = Watched::new();
    let app = watched.app().await;
    let response = app.call(get("/whole")).await.unwrap();
    assert_eq!(response.response().body().size(), BodySize::Sized(5));
}

#[actix_web::test]
async fn a_client_that_leaves_is_cancelled_and_no_error() {
    let watched = Watched::new();
    let app = watched.app().await;
    drop(app.call(get("/endless")).await.unwrap());
    assert!(
        watched.counted(&labels("cancelled", "/endless", 200)),
        "{}",
        text(&watched.registry)
    );
    assert_eq!(watched.span().status, Status::Unset);

    let watched = Watched::new();
    let app = watched.app().await;
    assert!(app.call(get("/never")).now_or_never().is_none());
    assert!(
        watched.counted(&labels("cancelled", "/never", 499)),
        "{}",
        text(&watched.registry)
    );
    assert!(!watched.active());
    let span = watched.span();
    assert_eq!(span.status, Status::Unset);
    assert_eq!(said(&span, "error.type").as_deref(), Some("cancelled"));
}

#[actix_web::test]
async fn a_handler_that_panics_is_counted_as_what_it_is() {
    let watched = Watched::new();
    let app = watched.app().await;
    AssertUnwindSafe(app.call(get("/panic")))
        .catch_unwind()
        .await
        .map(drop)
        .unwrap_err();
    assert!(
        watched.counted(&labels("panic", "/panic", 500)),
        "{}",
        text(&watched.registry)
    );
    assert!(!watched.active());
    assert_eq!(watched.span().status, Status::error(""));
}

#[actix_web::test]
async fn after_shutdown_requests_are_served_without_a_trace() {
    let registry = Registry::new();
    let provider = SdkTracerProvider::builder().build();
    let observe = Observe::new(ServerMetrics::register(&registry).unwrap())
        .with_tracer(provider.tracer("test"));
    provider.shutdown().unwrap();
    let app = App::new()
        .route("/", web::get().to(HttpResponse::Ok))
        .wrap(observe);
    let response = test::call_service(&test::init_service(app).await, get("/")).await;
    assert!(response.status().is_success());
    assert!(response.headers().get("traceresponse").is_none());
}

#[actix_web::test]
async fn a_body_that_fails_is_our_error() {
    let watched = Watched::new();
    let app = watched.app().await;
    let response = app.call(get("/cut")).await.unwrap();
    assert!(
        actix_web::body::to_bytes(response.into_body())
            .await
            .is_err()
    );
    assert!(
        watched.counted(&labels("body_cut", "/cut", 200)),
        "{}",
        text(&watched.registry)
    );
    assert_eq!(watched.span().status, Status::error(""));
}

#[actix_web::test]
async fn an_error_a_handler_returns_counts_as_its_status() {
    let watched = Watched::new();
    let app = watched.app().await;
    test::read_body(app.call(get("/refused")).await.unwrap()).await;
    assert!(
        watched.counted(&labels("502", "/refused", 502)),
        "{}",
        text(&watched.registry)
    );
    assert_eq!(said(&watched.span(), "error.type").as_deref(), Some("502"));
}

#[actix_web::test]
async fn a_handler_behind_the_default_service_names_its_route() {
    let watched = Watched::new();
    let app = watched.app().await;
    test::read_body(app.call(get("/api/x")).await.unwrap()).await;
    assert!(
        watched.counted(&labels("", "/api/{rest}", 404)),
        "{}",
        text(&watched.registry)
    );
    assert_eq!(watched.span().name, "GET /api/{rest}");
}

#[actix_web::test]
async fn the_answer_names_its_trace_and_the_log_line_carries_it() {
    let watched = Watched::new();
    let app = watched.app().await;
    let lines = Lines::default();
    let written = lines.clone();
    let layer = fmt::layer()
        .event_format(JsonLines)
        .with_writer(move || lines.clone());
    let _logging = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    let response = app.call(get("/log")).await.unwrap();
    let answer = response
        .headers()
        .get("traceresponse")
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    drop(test::read_body(response).await);

    let span = watched.span();
    let ids = (
        span.span_context.trace_id().to_string(),
        span.span_context.span_id().to_string(),
    );
    assert_eq!(answer, format!("00-{}-{}-01", ids.0, ids.1));
    let line: serde_json::Value = serde_json::from_slice(&written.0.lock().unwrap()).unwrap();
    assert_eq!(line["message"], "from the handler");
    assert_eq!(
        (
            line["trace_id"].as_str().unwrap(),
            line["span_id"].as_str().unwrap()
        ),
        (&*ids.0, &*ids.1)
    );
}
