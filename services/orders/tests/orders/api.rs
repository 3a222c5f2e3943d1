//! Orders on a real socket, with what it calls: real services in this process, or scripted ones.

use crate::client::{Answer, Http};
use crate::peer::nobody;
use awc::http::Method;
use orders::{MIGRATIONS, Metrics, Peers, Settings};
use prometheus::Registry;
use resilience::endpoint::{Endpoint, EndpointId, Health, Weights};
use serde_json::{Value, json};
use service::testing::{self, Running};
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::{Duration, Instant};
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
    money: [SocketAddr; 2],
    running: Vec<Running>,
    directory: TempDir,
}

/// One instance of orders.
pub struct Api {
    pub http: Http,
    registry: Registry,
    pub running: Running,
}

/// Far more than anything takes here; a test that waits this long has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// What a call may take in tests that are not about time.
const UNHURRIED_MS: u64 = 2_000;

/// As shipped, but with a reconciler and a refresh that a test need not wait for.
pub fn settings() -> Settings {
    settings_but(&[])
}

/// With other values for some keys.
pub fn settings_but(changes: &[(&str, u32)]) -> Settings {
    let mut all = json!({
        "orders": {"claim_ms": 10_000},
        "idempotency": {"wait_ms": 10_000, "keep_ms": 86_400_000},
        "stock": {"refresh_ms": 100, "most_items": 1_000, "keep_ms": 3_600_000},
        "reconciler": {"every_ms": 20, "batch": 16, "patience_ms": 1_000, "longest_wait_ms": 200},
    });
    for (key, value) in changes {
        let (section, key) = key.split_once('.').unwrap();
        all[section][key] = (*value).into();
    }
    serde_json::from_value(all).unwrap()
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
            money,
            running,
            directory,
        }
    }

    /// The instances of orders are killed; one that cannot reach inventory takes their place.
    pub async fn blind(&mut self) -> Api {
        self.orders.clear();
        Api::start(&self.directory, settings(), &[nobody()], &self.money).await
    }

    /// Another instance of orders, that can.
    pub async fn healed(&self) -> Api {
        let stock = [self.running[0].address];
        Api::start(&self.directory, settings(), &stock, &self.money).await
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
    inventory_with(directory, 60_000, 60_000).await
}

/// One whose reservations run out after `ttl_ms`, looked for every `sweep_ms`.
pub async fn inventory_with(directory: &TempDir, ttl_ms: u64, sweep_ms: u64) -> Running {
    let settings = json!({
        "inventory": {"seed": true},
        "reservations": {"ttl_ms": ttl_ms, "sweep_ms": sweep_ms},
    });
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
        Self::hurried(directory, settings, inventory, payments, UNHURRIED_MS).await
    }

    /// An instance that gives inventory so long while a client waits.
    pub async fn hurried(
        directory: &TempDir,
        settings: Settings,
        inventory: &[SocketAddr],
        payments: &[SocketAddr],
        inventory_ms: u64,
    ) -> Self {
        let store = testing::store(&MIGRATIONS, &directory.path().join("orders.db")).await;
        let inventory = pool("inventory", inventory, inventory_ms);
        let payments = pool("payments", payments, UNHURRIED_MS);
        let registry = Registry::new();
        let calls = ClientMetrics::register(&registry).unwrap();
        let metrics = Metrics::register(&registry).unwrap();
        let app = orders::app(store, settings, metrics, move || Peers {
            inventory: Client::new(inventory.clone(), calls.clone()),
            payments: Client::new(payments.clone(), calls.clone()),
        });
        let running = testing::serve(app).await;
        Self {
            http: Http::new(&running.url),
            registry,
            running,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.running.address
    }

    /// What a metric without labels shows.
    pub fn gauge(&self, name: &str) -> f64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name);
        family.unwrap().get_metric()[0].get_gauge().get_value()
    }

    /// How often the reconciler of this instance came to this end.
    pub fn settled(&self, outcome: &str) -> f64 {
        let families = self.registry.gather();
        let family = families
            .iter()
            .find(|family| family.name() == "lictor_orders_settled_total");
        let metrics = family.unwrap().get_metric();
        let metric = metrics
            .iter()
            .find(|metric| metric.get_label()[0].value() == outcome);
        metric.unwrap().get_counter().get_value()
    }

    /// Waits until the stock of this moment is known: the age that is shown falls when inventory was
    /// heard anew. The first time may be long past, the second was perhaps asked before this moment.
    pub async fn knows_the_stock(&self) {
        let until = Instant::now() + PATIENCE;
        let (mut heard, mut last) = (0, f64::MAX);
        while heard < 3 {
            let age = self.gauge("lictor_orders_known_stock_age_seconds");
            heard += usize::from(age >= 0.0 && age < last);
            last = if age < 0.0 { f64::MAX } else { age };
            assert!(Instant::now() < until, "inventory was not heard");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until the reconcilers of these instances have counted so many of this end: the order is seen first.
    pub async fn have_settled(apis: &[&Self], outcome: &str, count: f64) {
        let until = Instant::now() + PATIENCE;
        loop {
            let settled: f64 = apis.iter().map(|api| api.settled(outcome)).sum();
            if settled >= count {
                assert_eq!(settled, count, "{outcome}");
                return;
            }
            assert!(Instant::now() < until, "only {settled} {outcome}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The order, once it is in this status.
    pub async fn until(&self, id: &str, status: &str) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let order = self.show(id).await.body;
            if order["status"] == status {
                return order;
            }
            assert!(Instant::now() < until, "last seen: {order}");
            tokio::time::sleep(Duration::from_millis(5)).await;
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
fn pool(name: &str, addresses: &[SocketAddr], timeout_ms: u64) -> Arc<Pool> {
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
        timeout_ms: NonZeroU64::new(timeout_ms).unwrap(),
        ..PoolConfig::default()
    };
    let metrics = upstream::Metrics::register(&Registry::new()).unwrap();
    Pool::new(name, config, Zone::new("a"), view, own, metrics)
}
