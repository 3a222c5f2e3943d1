//! The service on a real socket with a real SQLite file, and the verbs that tests use.

use actix_web::web::Data;
use awc::http::Method;
use serde_json::{Value, json};
use service::testing::{self, Running};
use tempfile::TempDir;
use users::{MIGRATIONS, Settings, Users, app};

/// One instance of the service.
pub struct Api {
    users: Data<Users>,
    pub running: Running,
    client: awc::Client,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: awc::http::header::HeaderMap,
    pub body: Value,
}

pub fn settings() -> Settings {
    settings_with(10_000, 1)
}

/// Sign-ins that wait so long for their turn.
pub fn settings_with_queue(queue_ms: u64) -> Settings {
    settings_with(queue_ms, 1)
}

/// Keys that are published so long before they sign.
pub fn settings_publishing_ahead(publish_ahead_s: u32) -> Settings {
    settings_with(10_000, publish_ahead_s)
}

/// New hashes are cheap; those of the demo users are real, half a second each in a debug build.
fn settings_with(queue_ms: u64, publish_ahead_s: u32) -> Settings {
    serde_json::from_value(json!({
        "users": {"seed": true},
        "password": {"memory_kib": 64, "passes": 1, "queue_ms": queue_ms},
        "token": {"issuer": "lictor-users", "audience": "lictor", "lifetime_s": 900},
        "keys": {"publish_ahead_s": publish_ahead_s},
    }))
    .unwrap()
}

pub fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

impl Api {
    /// Starts an instance on this directory's store.
    pub async fn start(directory: &TempDir, settings: Settings) -> Self {
        let store = testing::store(&MIGRATIONS, &directory.path().join("users.db")).await;
        let users = Users::open(store, settings).await.unwrap();
        let users = Data::new(users);
        Self {
            running: testing::serve(app(users.clone())).await,
            users,
            client: awc::Client::default(),
        }
    }

    /// The next signing key, as an operator makes it.
    pub async fn rotate(&self) -> Result<impl serde::Serialize + use<>, service::Error> {
        self.users.rotate_keys().await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, String::new()).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, body.to_string()).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, body.to_string()).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, String::new()).await
    }

    pub async fn send(&self, method: Method, path: &str, body: String) -> Answer {
        self.send_with(method, path, body, ("accept", "*/*")).await
    }

    pub async fn send_with(
        &self,
        method: Method,
        path: &str,
        body: String,
        header: (&str, &str),
    ) -> Answer {
        let request = self
            .client
            .request(method, format!("{}{path}", self.running.url));
        let request = request
            .insert_header(("content-type", "application/json"))
            .insert_header(header);
        let mut response = request.send_body(body).await.unwrap();
        let bytes = response.body().await.unwrap();
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        }
    }
}

impl Answer {
    /// The problem's code and field.
    pub fn problem(&self) -> (&str, &str) {
        let media = self.headers.get("content-type").unwrap();
        assert_eq!(media, "application/problem+json");
        assert_eq!(self.body["status"], self.status);
        (
            self.body["code"].as_str().unwrap(),
            self.body["field"].as_str().unwrap_or_default(),
        )
    }
}
