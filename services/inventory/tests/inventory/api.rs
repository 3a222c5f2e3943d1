//! The service on a real socket with a real SQLite file, and the verbs that tests use.

use awc::http::Method;
use inventory::{MIGRATIONS, Settings, open};
use serde_json::{Value, json};
use service::testing::{self, Running};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// One instance of the service.
pub struct Api {
    pub running: Running,
    client: awc::Client,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub media: String,
    pub body: Value,
}

pub fn settings() -> Settings {
    settings_with(60_000, 60_000)
}

/// Reservations that run out after `ttl_ms`, looked for every `sweep_ms`.
pub fn settings_with(ttl_ms: u64, sweep_ms: u64) -> Settings {
    serde_json::from_value(json!({
        "inventory": {"seed": true},
        "reservations": {"ttl_ms": ttl_ms, "sweep_ms": sweep_ms},
    }))
    .unwrap()
}

pub fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// The order number `n` of a test.
pub fn order(n: u32) -> String {
    format!("ord_01937c6e-5a00-7000-8000-{n:012x}")
}

/// What order `n` asks for.
pub fn wish(n: u32, items: &[(&str, i64)]) -> Value {
    let line = |&(sku, quantity): &(&str, i64)| json!({"sku": sku, "quantity": quantity});
    json!({"order_id": order(n), "items": items.iter().map(line).collect::<Vec<_>>()})
}

impl Api {
    /// Starts an instance on this directory's store.
    pub async fn start(directory: &TempDir, settings: Settings) -> Self {
        let store = testing::store(&MIGRATIONS, &directory.path().join("inventory.db")).await;
        let app = open(store, settings).await.unwrap();
        Self {
            running: testing::serve(app).await,
            client: awc::Client::default(),
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, String::new()).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, body.to_string()).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, String::new()).await
    }

    /// Sets what is in the house of one item.
    pub async fn stock(&self, sku: &str, pieces: i64) -> Answer {
        let body = json!({"name": "Test item", "price_cents": 250, "stock": pieces});
        self.send(
            Method::PUT,
            &format!("/inventory/items/{sku}"),
            body.to_string(),
        )
        .await
    }

    pub async fn reserve(&self, n: u32, items: &[(&str, i64)]) -> Answer {
        self.post("/inventory/reservations", wish(n, items)).await
    }

    pub async fn confirm(&self, n: u32) -> Answer {
        self.send(
            Method::POST,
            &format!("/inventory/reservations/{}/confirm", order(n)),
            String::new(),
        )
        .await
    }

    pub async fn release(&self, n: u32) -> Answer {
        self.delete(&format!("/inventory/reservations/{}", order(n)))
            .await
    }

    /// Waits until the time of this reservation is up.
    pub async fn ran_out(&self, n: u32) {
        let path = format!("/inventory/reservations/{}", order(n));
        let ends = self.get(&path).await.body["expires_at_ms"].as_i64();
        let ends = UNIX_EPOCH + Duration::from_millis(u64::try_from(ends.unwrap()).unwrap());
        while SystemTime::now() <= ends {
            actix_web::rt::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Stock, reserved and available of one item.
    pub async fn counts(&self, sku: &str) -> (i64, i64, i64) {
        let item = self.get(&format!("/inventory/items/{sku}")).await.body;
        let count = |name: &str| item[name].as_i64().unwrap();
        (count("stock"), count("reserved"), count("available"))
    }

    pub async fn send(&self, method: Method, path: &str, body: String) -> Answer {
        let request = self
            .client
            .request(method, format!("{}{path}", self.running.url));
        let mut response = request
            .insert_header(("content-type", "application/json"))
            .send_body(body)
            .await
            .unwrap();
        let bytes = response.body().await.unwrap();
        let media = response
            .headers()
            .get("content-type")
            .map(|value| value.to_str().unwrap().to_owned());
        Answer {
            status: response.status().as_u16(),
            media: media.unwrap_or_default(),
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        }
    }
}

impl Answer {
    /// The problem's status, code and field.
    pub fn problem(&self) -> (u16, &str, &str) {
        assert_eq!(self.media, "application/problem+json", "{self:?}");
        (
            self.status,
            self.body["code"].as_str().unwrap(),
            self.body["field"].as_str().unwrap_or_default(),
        )
    }
}
