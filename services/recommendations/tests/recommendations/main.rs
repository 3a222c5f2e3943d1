//! The recommendations service over HTTP, with an orders service that is well, wrong, or away.
#![allow(clippy::unwrap_used, reason = "tests")]

use actix_web::{HttpResponse, HttpServer, web};
use recommendations::{MIGRATIONS, open};
use resilience::endpoint::{Endpoint, EndpointId, Health, Weights};
use serde_json::{Value, json};
use service::testing::{self, Running};
use std::net::{SocketAddr, TcpListener};
use telemetry::http::ClientMetrics;
use tempfile::TempDir;
use upstream::call::Client;
use upstream::{Pool, PoolConfig, Zone};

const USER: &str = "usr_01937c6e-5a00-7000-8000-0000000000a1";

/// The service on a real socket, calling orders at this address.
struct Api {
    running: Running,
    _directory: TempDir,
}

impl Api {
    async fn start(orders: SocketAddr) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = testing::store(&MIGRATIONS, &directory.path().join("recommendations.db")).await;
        let settings =
            serde_json::from_value(json!({"recommendations": {"seed": true, "items": 3}})).unwrap();
        let pool = pool(orders);
        let metrics = ClientMetrics::register(&prometheus::Registry::new()).unwrap();
        let app = open(store, settings, move || {
            Client::new(pool.clone(), metrics.clone())
        })
        .await
        .unwrap();
        Self {
            running: testing::serve(app).await,
            _directory: directory,
        }
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let mut response = awc::Client::default()
            .get(format!("{}{path}", self.running.url))
            .send()
            .await
            .unwrap();
        let bytes = response.body().await.unwrap();
        (
            response.status().as_u16(),
            serde_json::from_slice(&bytes).unwrap(),
        )
    }

    /// Source and SKUs of what is recommended to the user of the tests.
    async fn recommended(&self) -> (String, Vec<String>) {
        let (status, body) = self.get(&format!("/recommendations/{USER}")).await;
        assert_eq!((status, &body["user_id"]), (200, &json!(USER)));
        let items = body["items"].as_array().unwrap().iter();
        let skus = items
            .map(|item| item["sku"].as_str().unwrap().to_owned())
            .collect();
        (body["source"].as_str().unwrap().to_owned(), skus)
    }
}

fn pool(address: SocketAddr) -> std::sync::Arc<Pool> {
    let endpoint = Endpoint {
        id: EndpointId::new("orders-1"),
        address,
        ops_port: None,
        zone: Zone::new("a"),
        version: "0.1.0".into(),
        weights: Weights {
            passing: 10,
            warning: 1,
        },
        health: Health::Passing,
        ever_passed: true,
    };
    let view = consul::View::fixed("orders", vec![endpoint]);
    let own = consul::View::fixed("recommendations", Vec::new());
    let metrics = upstream::Metrics::register(&prometheus::Registry::new()).unwrap();
    Pool::new(
        "orders",
        PoolConfig::default(),
        Zone::new("a"),
        view,
        own,
        metrics,
    )
}

/// An orders service that answers every request alike.
fn orders(status: u16, body: Value) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let factory = move || {
        let body = body.clone();
        let answer = move || {
            let response = HttpResponse::build(status.try_into().unwrap()).json(body.clone());
            async move { response }
        };
        actix_web::App::new().default_service(web::to(answer))
    };
    let server = HttpServer::new(factory)
        .workers(1)
        .disable_signals()
        .listen(listener)
        .unwrap()
        .run();
    actix_web::rt::spawn(server);
    address
}

fn listing(orders: &[(&str, &[&str])]) -> Value {
    let order = |(status, skus): &(&str, &[&str])| {
        let items: Vec<Value> = skus
            .iter()
            .map(|sku| json!({"sku": sku, "quantity": 1}))
            .collect();
        json!({"id": "ord_x", "status": status, "items": items, "total_cents": 1})
    };
    json!({"items": orders.iter().map(order).collect::<Vec<_>>(), "total": orders.len()})
}

#[actix_web::test]
async fn the_document_is_valid_tells_every_route_and_is_true() {
    let api = Api::start(orders(200, listing(&[]))).await;
    contract::hold(&api.running.url, &api.running.routes().await).await;
}

#[actix_web::test]
async fn what_goes_with_what_was_ordered_comes_first() {
    let api = Api::start(orders(
        200,
        listing(&[("confirmed", &["BOOK-WAX"]), ("completed", &["DICE-BONE"])]),
    ))
    .await;
    let (source, skus) = api.recommended().await;
    assert_eq!(
        (source.as_str(), skus),
        (
            "orders",
            vec!["STYLUS-IRON".into(), "COIN-PURSE".into(), "LAMP-OIL".into()]
        )
    );
}

#[actix_web::test]
async fn who_never_ordered_gets_the_popular_items() {
    let rejected = listing(&[("rejected", &["BOOK-WAX"]), ("cancelled", &["DICE-BONE"])]);
    for listing in [listing(&[]), rejected] {
        let (source, skus) = Api::start(orders(200, listing)).await.recommended().await;
        assert_eq!(
            (source.as_str(), skus[0].as_str(), skus.len()),
            ("popular", "LAMP-OIL", 3)
        );
    }
}

#[actix_web::test]
async fn without_orders_the_popular_items_do() {
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for orders in [
        nobody,
        orders(500, json!({})),
        orders(200, json!({"nonsense": true})),
    ] {
        let (source, skus) = Api::start(orders).await.recommended().await;
        assert_eq!(
            (source.as_str(), skus[0].as_str(), skus.len()),
            ("popular", "LAMP-OIL", 3)
        );
    }
}

#[actix_web::test]
async fn a_user_must_have_the_form_of_one() {
    let api = Api::start(orders(200, listing(&[]))).await;
    for bad in [
        "1",
        "ord_01937c6e-5a00-7000-8000-0000000000a1",
        "usr_01937C6E-5A00-7000-8000-0000000000A1",
    ] {
        let (status, body) = api.get(&format!("/recommendations/{bad}")).await;
        assert_eq!(
            (status, &body["code"], &body["field"]),
            (400, &json!("invalid_field"), &json!("user_id")),
            "{bad}"
        );
    }
}
