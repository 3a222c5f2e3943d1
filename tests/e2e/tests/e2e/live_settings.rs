//! What an operator writes into Consul's KV store changes the running system, and what makes no sense changes nothing.

use std::time::Duration;

use serde_json::{Value, json};
use stack::{Answer, Client};

use super::system::{System, eventually, ok};

/// A round trip to Consul and the pace of the watch; the machine may be busy.
const SOON: Duration = Duration::from_secs(10);

/// Consul's KV store, below the prefix that the system reads.
pub struct Store(Client);

impl Store {
    pub fn of(system: &System) -> Self {
        Self(Client::new(system.consul().address()))
    }

    pub async fn put(&self, key: &str, value: &Value) {
        ok(self.0.put(&format!("/v1/kv/lictor/{key}"), value).await);
    }

    pub async fn delete(&self, key: &str) {
        ok(self.0.delete(&format!("/v1/kv/lictor/{key}")).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_in_the_store_change_running_processes_and_bad_ones_do_not() {
    let system = System::start("live-settings").await;
    let store = Store::of(&system);
    let (client, gateway) = (system.load_client(), system.gateway().addresses);
    let (admin, ops) = (Client::new(gateway.admin), Client::new(gateway.ops));
    let items = "/api/inventory/items";

    store
        .put(
            "routes/inventory",
            &json!({ "maintenance": true, "retry_after_s": 120 }),
        )
        .await;
    let closed = eventually(&client, items, SOON, |answer| answer.status == 503).await;
    assert_eq!(closed.json()["code"], "maintenance");
    assert_eq!(closed.header("retry-after"), Some("120"));

    store
        .put("routes/inventory", &json!({ "maintenance": "perhaps" }))
        .await;
    let refused = |text: &str| text.contains("lictor_kv_refused_total{setting=\"routes\"} 1");
    eventually(&ops, "/metrics", SOON, |answer| refused(&answer.text())).await;
    let still = client.get(items).await.unwrap();
    assert_eq!(still.status, 503, "the last good value stays");

    system.kill("consul").await.unwrap();
    let still = client.get(items).await.unwrap();
    assert_eq!(still.json()["code"], "maintenance", "also without Consul");
    system.consul_start(false).await.unwrap();
    store.delete("routes/inventory").await;
    eventually(&client, items, SOON * 2, |answer| answer.status == 200).await;

    store
        .put("breakers/inventory", &json!({ "mode": "forced_open" }))
        .await;
    let kept = |answer: &Answer| answer.header("x-gateway-fallback") == Some("cache");
    let open = eventually(&client, items, SOON, kept).await;
    assert_eq!(open.status, 200, "the last good answer stands in");
    let unknown = client.get("/api/inventory/items?limit=7").await.unwrap();
    assert_eq!(unknown.json()["code"], "circuit_open");
    let seen = ok(admin.get("/upstreams/inventory").await).json();
    assert_eq!(seen["breaker"]["mode"], "forced_open");
    assert_eq!(seen["breaker"]["last_transition"]["reason"], "operator");
    store.delete("breakers/inventory").await;
    eventually(&client, items, SOON, |answer| !kept(answer)).await;

    store
        .put("log/gateway", &json!({ "filter": "debug" }))
        .await;
    let debugs = |text: String| text.contains("\"filter\":\"debug\"");
    eventually(&admin, "/log", SOON, |answer| debugs(answer.text())).await;
    store.delete("log/gateway").await;
    eventually(&admin, "/log", SOON, |answer| !debugs(answer.text())).await;
    system.stop().await;
}
