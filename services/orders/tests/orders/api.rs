//! Orders on a real socket, with what it calls: real services in this process, or scripted ones.

use crate::client::{Answer, Http};
use awc::http::Method;
use orders::{MIGRATIONS, Peers, Settings};
use resilience::endpoint::{Endpoint, EndpointId, Health, Weights};
use serde_json::{Value, json};
use service::testing::{self, Running};
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::sync::Arc;
use telemetry::http::ClientMetrics;
use tempfile::TempDir;
use upstream::call::Client;
use upstream::{Pool, PoolConfig, Zone};

/// The user who orders in tests.
pub const USER: &str = "usr_01937c6e-5a00-7000-8000-0000000000a1";

/// A shop of real services, each with one instance more than one needs.
pub struct Shop {
    pub orders: Vec<Api>,
    pub inventory: Http,
    pub payments: Http,
    _running: Vec<Running>,
    _directory: TempDir,
}

/// One instance of orders.
pub struct Api {
    pub http: Http,
    _running: Running,
}

pub fn settings() -> Settings {
    settings_with_claim(10_000)
}

pub fn settings_with_claim(claim_ms: u32) -> Settings {
    serde_json::from_value(json!({
        "orders": {"undo_attempts": 2},
        "idempotency": {"claim_ms": claim_ms, "wait_ms": 10_000, "keep_ms": 86_400_000},
    }))
    .unwrap()
}

pub fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// One piece of each.
pub fn wish(items: &[(&str, i64)]) -> Value {
    let line = |&(sku, quantity): &(&str, i64)| json!({"sku": sku, "quantity": quantity});
    json!({"user_id": USER, "items": items.iter().map(line).collect::<Vec<_>>()})
}

impl Shop {
    /// Two instances of orders and of inventory, two of payments.
    pub async fn open() -> Self {
        let directory = directory();
        let mut running = Vec::new();
        for _ in 0..2 {
            running.push(inventory(&directory).await);
        }
        for _ in 0..2 {
            running.push(payments(&directory).await);
        }
        let (stock, money) = (
            [running[0].address, running[1].address],
            [running[2].address, running[3].address],
        );
        let mut orders = Vec::new();
        for _ in 0..2 {
            orders.push(Api::start(&directory, settings(), &stock, &money).await);
        }
        let (inventory, payments) = (Http::new(&running[0].url), Http::new(&running[2].url));
        Self {
            orders,
            inventory,
            payments,
            _running: running,
            _directory: directory,
        }
    }

    pub fn api(&self) -> &Api {
        &self.orders[0]
    }

    pub async fn stock(&self, sku: &str, pieces: i64) {
        let body = json!({"name": "Test item", "price_cents": 250, "stock": pieces});
        assert_eq!(
            self.inventory
                .put(&format!("/inventory/items/{sku}"), body)
                .await
                .status,
            200
        );
    }

    /// Stock and reserved of one item.
    pub async fn counts(&self, sku: &str) -> (i64, i64) {
        let item = self
            .inventory
            .get(&format!("/inventory/items/{sku}"))
            .await
            .body;
        (
            item["stock"].as_i64().unwrap(),
            item["reserved"].as_i64().unwrap(),
        )
    }

    /// The status of an order's payment, empty if there is none.
    pub async fn paid(&self, order: &str) -> String {
        self.payments.get(&format!("/payments/{order}")).await.body["status"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

/// A real inventory on this directory's store.
pub async fn inventory(directory: &TempDir) -> Running {
    let settings = json!({"inventory": {"seed": true}, "reservations": {"ttl_ms": 60_000, "sweep_ms": 60_000}});
    let store = testing::store(
        &inventory::MIGRATIONS,
        &directory.path().join("inventory.db"),
    )
    .await;
    let app = inventory::open(store, serde_json::from_value(settings).unwrap())
        .await
        .unwrap();
    testing::serve(app).await
}

/// Real payments on this directory's store.
pub async fn payments(directory: &TempDir) -> Running {
    let settings =
        serde_json::from_value(json!({"payments": {"decline_above_cents": 10_000}})).unwrap();
    let store = testing::store(&payments::MIGRATIONS, &directory.path().join("payments.db")).await;
    testing::serve(payments::app(store, &settings)).await
}

impl Api {
    /// An instance on this directory's store that calls these addresses.
    pub async fn start(
        directory: &TempDir,
        settings: Settings,
        inventory: &[SocketAddr],
        payments: &[SocketAddr],
    ) -> Self {
        let store = testing::store(&MIGRATIONS, &directory.path().join("orders.db")).await;
        let (inventory, payments) = (pool("inventory", inventory), pool("payments", payments));
        let metrics = ClientMetrics::register(&prometheus::Registry::new()).unwrap();
        let app = orders::app(store, settings, move || Peers {
            inventory: Client::new(inventory.clone(), metrics.clone()),
            payments: Client::new(payments.clone(), metrics.clone()),
        });
        let running = testing::serve(app).await;
        Self {
            http: Http::new(&running.url),
            _running: running,
        }
    }

    pub async fn order(&self, items: &[(&str, i64)]) -> Answer {
        self.http
            .send(Method::POST, "/orders", wish(items).to_string(), &[])
            .await
    }

    pub async fn order_once(&self, key: &str, subject: &str, items: &[(&str, i64)]) -> Answer {
        let headers = [("idempotency-key", key), ("x-auth-subject", subject)];
        self.http
            .send(Method::POST, "/orders", wish(items).to_string(), &headers)
            .await
    }

    pub async fn show(&self, id: &str) -> Answer {
        self.http.get(&format!("/orders/{id}")).await
    }

    pub async fn cancel(&self, id: &str) -> Answer {
        self.http.delete(&format!("/orders/{id}")).await
    }

    pub async fn move_to(&self, id: &str, status: &str) -> Answer {
        self.http
            .put(&format!("/orders/{id}/status"), json!({"status": status}))
            .await
    }

    /// The only order there is.
    pub async fn the_order(&self) -> Value {
        let page = self.http.get("/orders").await.body;
        assert_eq!(page["total"], 1, "{page}");
        page["items"][0].clone()
    }
}

/// A pool over fixed addresses, with a timeout that a test can wait for.
fn pool(name: &str, addresses: &[SocketAddr]) -> Arc<Pool> {
    let endpoint = |address: &SocketAddr| Endpoint {
        id: EndpointId::new(&format!("{name}-{address}")),
        address: *address,
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
    let view = consul::View::fixed(name, addresses.iter().map(endpoint).collect());
    let own = consul::View::fixed("orders", Vec::new());
    let config = PoolConfig {
        timeout_ms: NonZeroU64::new(2_000).unwrap(),
        ..PoolConfig::default()
    };
    let metrics = upstream::Metrics::register(&prometheus::Registry::new()).unwrap();
    Pool::new(name, config, Zone::new("a"), view, own, metrics)
}
