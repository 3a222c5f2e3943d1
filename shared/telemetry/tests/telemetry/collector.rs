//! A collector that hangs, or is not there: requests do not notice, and the process ends in time.

use std::{
    net::TcpListener,
    thread,
    time::{Duration, Instant},
};

use actix_web::{
    App, HttpResponse,
    test::{TestRequest, call_service, init_service},
    web,
};
use opentelemetry::trace::Tracer;
use prometheus::Registry;
use telemetry::{
    Settings,
    http::{Observe, ServerMetrics},
    metrics::text,
    traces::Pipeline,
};

use crate::{sink::Sink, world::resource};

/// More than the queue (4096) and the batch being sent (512) can hold.
const REQUESTS: usize = 6_000;

fn pipeline(endpoint: String, registry: &Registry) -> Pipeline {
    let settings = Settings {
        otlp_endpoint: Some(endpoint),
        ..Settings::default()
    };
    Pipeline::start(&settings, &resource(), registry).unwrap()
}

fn value(registry: &Registry, series: &str) -> u64 {
    let text = text(registry);
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in {text}"))
        .parse()
        .unwrap()
}

/// How long `REQUESTS` requests take with spans going to `pipeline`; all of them must succeed.
async fn requests(pipeline: &Pipeline) -> Duration {
    let metrics = ServerMetrics::register(&Registry::new()).unwrap();
    let app = App::new()
        .route("/", web::get().to(HttpResponse::Ok))
        .wrap(Observe::new(metrics).with_tracer(pipeline.tracer()));
    let app = init_service(app).await;
    let begun = Instant::now();
    for _ in 0..REQUESTS {
        let response = call_service(&app, TestRequest::get().uri("/").to_request()).await;
        assert!(response.status().is_success());
    }
    begun.elapsed()
}

#[actix_web::test]
async fn a_hung_collector_costs_spans_and_nothing_else() {
    // It accepts connections, by its backlog, and never says a word.
    let hung = TcpListener::bind("127.0.0.1:0").unwrap();
    let registry = Registry::new();
    let pipeline = pipeline(format!("http://{}", hung.local_addr().unwrap()), &registry);
    let took = requests(&pipeline).await;
    assert!(
        took < Duration::from_secs(20),
        "{REQUESTS} requests took {took:?}"
    );
    let dropped = value(&registry, "lictor_spans_dropped_total");
    let failed = value(&registry, r#"lictor_spans_exported_total{result="error"}"#);
    assert!(
        dropped + failed >= (REQUESTS - 4_096 - 512) as u64,
        "{dropped} dropped, {failed} failed"
    );

    let begun = Instant::now();
    let flushed = web::block(move || pipeline.shutdown(Duration::from_millis(300)))
        .await
        .unwrap();
    assert!(!flushed);
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "shutdown took {:?}",
        begun.elapsed()
    );
}

#[actix_web::test]
async fn an_absent_collector_is_counted_and_delays_nothing() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let registry = Registry::new();
    let pipeline = pipeline(format!("http://{closed}"), &registry);
    requests(&pipeline).await;
    let begun = Instant::now();
    let flushed = web::block(move || pipeline.shutdown(Duration::from_secs(5)))
        .await
        .unwrap();
    assert!(!flushed);
    assert!(
        begun.elapsed() < Duration::from_secs(6),
        "shutdown took {:?}",
        begun.elapsed()
    );
    assert!(value(&registry, r#"lictor_spans_exported_total{result="error"}"#) > 0);
}

#[test]
fn the_exporter_is_the_blocking_one_and_needs_no_runtime() {
    let sink = Sink::start();
    let registry = Registry::new();
    let endpoint = sink.endpoint.clone();
    let metrics = registry.clone();
    let flushed = thread::spawn(move || {
        let pipeline = pipeline(endpoint, &metrics);
        drop(pipeline.tracer().start("alone"));
        pipeline.shutdown(Duration::from_secs(10))
    })
    .join()
    .unwrap();
    assert!(flushed);
    assert_eq!(
        value(&registry, r#"lictor_spans_exported_total{result="ok"}"#),
        1
    );
}

#[actix_web::test]
async fn without_an_endpoint_ids_exist_and_nothing_is_sent() {
    let registry = Registry::new();
    let pipeline = pipeline(String::new(), &registry);
    requests(&pipeline).await;
    assert_eq!(value(&registry, "lictor_spans_dropped_total"), 0);
    assert!(pipeline.shutdown(Duration::from_secs(1)));
}
