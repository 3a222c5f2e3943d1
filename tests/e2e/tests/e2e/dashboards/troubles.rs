//! Everything that can go wrong and has a panel, one after the other, each long enough to be scraped twice.

use serde_json::json;
use stack::{Client, Load};

use super::super::live_settings::Store;
use super::super::system::{System, ok, second};

/// `edge.in_flight`: room for the load while all is well, and for no service that takes its time.
pub const PLACES: &str = "12";

/// What a name that is no address makes of an instance: it cannot be used.
const NO_ADDRESS: &str = "nowhere.invalid";

/// Runs to its end, by the time of the load.
pub async fn all(system: &System, load: &Load) {
    // Everybody is scraped, k6 runs, all is well.
    second(load, 25).await;
    settings(system).await;
    failing(system).await;
    second(load, 45).await;
    slow(system).await;
    second(load, 66).await;
    standing_still(system, load).await;
    second(load, 75).await;
    away(system).await;
    second(load, 145).await;
    without_consul(system).await;
}

/// A good value and a bad one in the store, and an instance that nobody can call.
async fn settings(system: &System) {
    let store = Store::of(system);
    store.put("log/gateway", &json!({ "filter": "info" })).await;
    let nonsense = json!({ "maintenance": "perhaps" });
    store.put("routes/inventory", &nonsense).await;
    let consul = Client::new(system.consul().address());
    let unusable =
        json!({ "Name": "users", "ID": "users-nowhere", "Address": NO_ADDRESS, "Port": 9 });
    ok(consul.put("/v1/agent/service/register", &unusable).await);
}

/// Some calls fail: retries, and problems that the gateway passes on. One service fails always: a fallback answers.
async fn failing(system: &System) {
    let some = json!({ "kind": "error", "status": 500, "percent": 40, "for_s": 18 });
    system.fault("users", &some).await.unwrap();
    let all = json!({ "kind": "error", "status": 503, "for_s": 30 });
    system.fault("recommendations", &all).await.unwrap();
}

/// A slow database, in which statements reach no end; slow services, which fill the gateway.
async fn slow(system: &System) {
    let database = json!({ "kind": "database", "ms": 5000, "for_s": 15 });
    system.fault("orders", &database).await.unwrap();
    let slow = json!({ "kind": "latency", "ms": 1500, "for_s": 15 });
    for service in ["users", "inventory"] {
        system.fault(service, &slow).await.unwrap();
    }
}

/// The gateway itself, for so long that k6 has nobody left to send.
async fn standing_still(system: &System, load: &Load) {
    let gateway = system.gateway().name();
    system.pause(gateway).unwrap();
    second(load, 71).await;
    system.resume(gateway).unwrap();
}

/// A service that answers nothing but errors: its breakers open, and stay so until somebody is told.
/// Another is gone, its ops listener too, for longer than two scrapes.
async fn away(system: &System) {
    let down = json!({ "kind": "down", "for_s": 15 });
    system.fault("recommendations", &down).await.unwrap();
    let failing = json!({ "kind": "error", "status": 503, "for_s": 60 });
    system.fault("inventory", &failing).await.unwrap();
}

/// Consul dies and comes back: watches fail, and it elects itself once more.
async fn without_consul(system: &System) {
    system.kill("consul").await.unwrap();
    system.consul_start(false).await.unwrap();
}
