//! How many series a stranger can make: as many as we have routes.

use std::net::SocketAddr;

use actix_web::{
    App, HttpResponse,
    http::Method,
    test::{TestRequest, call_service, init_service},
    web,
};
use prometheus::Registry;
use telemetry::{
    http::{Attempt, ClientMetrics, Observe, Peer, ServerMetrics},
    metrics::text,
};

fn series(registry: &Registry, name: &str) -> usize {
    text(registry)
        .lines()
        .filter(|line| line.starts_with(&format!("{name}_count{{")))
        .count()
}

#[actix_web::test]
async fn random_paths_and_hostile_methods_make_no_series() {
    let registry = Registry::new();
    let metrics = ServerMetrics::register(&registry).unwrap();
    let app = App::new()
        .route("/orders/{id}", web::get().to(HttpResponse::Ok))
        .wrap(Observe::new(metrics));
    let app = init_service(app).await;
    for n in 0..500 {
        let method = Method::from_bytes(format!("EVIL{n}").as_bytes()).unwrap();
        for (method, path) in [
            (Method::GET, format!("/{n}/{n}?{n}")),
            (Method::GET, format!("/orders/{n}")),
            (method, format!("/orders/{n}")),
        ] {
            let request = TestRequest::default()
                .method(method)
                .uri(&path)
                .to_request();
            call_service(&app, request).await;
        }
    }
    let found = series(&registry, "http_server_request_duration_seconds");
    assert_eq!(found, 3, "{}", text(&registry));
    assert!(text(&registry).contains(r#"method="_OTHER""#));
    assert!(text(&registry).contains(r#"route="_unmatched""#));
}

#[test]
fn churned_instances_and_lying_upstreams_make_no_series() {
    let registry = Registry::new();
    let metrics = ClientMetrics::register(&registry).unwrap();
    for n in 0..500_u16 {
        let instance = format!("orders-{n}");
        let peer = Peer {
            instance: &instance,
            zone: &instance,
            address: SocketAddr::from(([127, 0, 0, 1], n)),
            pick_reason: "local",
            breaker_state: "closed",
            local: true,
        };
        Attempt::start(&metrics, "orders", "GET", &peer, 0).finish(Ok(200));
        Attempt::start(&metrics, "orders", &instance, &peer, 0).finish(Ok(600 + n));
        drop(Attempt::start(&metrics, "orders", "GET", &peer, 0));
    }
    assert_eq!(
        series(&registry, "http_client_request_duration_seconds"),
        3,
        "{}",
        text(&registry)
    );
    assert!(text(&registry).contains(r#"error_type="cancelled""#));
}

#[test]
fn an_attempt_keeps_the_status_of_an_answer_whose_body_is_cut() {
    let registry = Registry::new();
    let metrics = ClientMetrics::register(&registry).unwrap();
    let peer = Peer {
        instance: "orders-1",
        zone: "a",
        address: SocketAddr::from(([127, 0, 0, 1], 1)),
        pick_reason: "local",
        breaker_state: "closed",
        local: true,
    };
    let mut attempt = Attempt::start(&metrics, "orders", "GET", &peer, 0);
    attempt.answered(200);
    attempt.finish(Err("body_cut"));
    let labels =
        r#"{error_type="body_cut",locality="local",method="GET",status="200",upstream="orders"} 1"#;
    assert!(text(&registry).contains(labels), "{}", text(&registry));

    // Nobody waits for the body of a refusal any more: a refusal it was.
    let mut attempt = Attempt::start(&metrics, "orders", "GET", &peer, 0);
    attempt.answered(503);
    drop(attempt);
    let labels =
        r#"{error_type="503",locality="local",method="GET",status="503",upstream="orders"} 1"#;
    assert!(text(&registry).contains(labels), "{}", text(&registry));
}
