//! The service on a real socket with a real SQLite file, and the verbs that tests use.

use awc::http::Method;
use payments::{MIGRATIONS, app};
use serde_json::{Value, json};
use service::testing::{self, Running};
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

/// The user who pays in tests.
pub const USER: &str = "usr_01937c6e-5a00-7000-8000-0000000000a1";

pub fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// The order number `n` of a test.
pub fn order(n: u32) -> String {
    format!("ord_01937c6e-5a00-7000-8000-{n:012x}")
}

impl Api {
    /// Starts an instance on this directory's store.
    pub async fn start(directory: &TempDir) -> Self {
        let store = testing::store(&MIGRATIONS, &directory.path().join("payments.db")).await;
        let settings =
            serde_json::from_value(json!({"payments": {"decline_above_cents": 10_000}})).unwrap();
        Self {
            running: testing::serve(app(store, &settings)).await,
            client: awc::Client::default(),
        }
    }

    pub async fn charge(&self, n: u32, cents: i64) -> Answer {
        let body = json!({"order_id": order(n), "user_id": USER, "amount_cents": cents});
        self.send(Method::POST, "/payments", body.to_string()).await
    }

    pub async fn get(&self, id: &str) -> Answer {
        self.send(Method::GET, &format!("/payments/{id}"), String::new())
            .await
    }

    pub async fn refund(&self, id: &str) -> Answer {
        self.send(
            Method::POST,
            &format!("/payments/{id}/refund"),
            String::new(),
        )
        .await
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
