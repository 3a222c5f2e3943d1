//! Faults on demand in running services: from Consul's KV store and by the verb, each over by itself, and none where they are not enabled.

use std::time::{Duration, Instant, SystemTime};

use serde_json::json;
use stack::{Client, wait};

use super::live_settings::Store;
use super::system::System;

const VICTIM: &str = "inventory";
/// Asked directly: the gateway has answers of its own.
const ITEMS: &str = "/inventory/items";

/// A round trip to Consul and the pace of the watch; the machine may be busy.
const SOON: Duration = Duration::from_secs(10);
/// How long the stored fault lasts: long enough that a busy machine sees it.
const LASTS: Duration = Duration::from_secs(8);
/// What each request waits, far above what one takes.
const SLOWER: Duration = Duration::from_millis(700);

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_fault_and_one_on_demand_are_felt_and_end_and_are_refused_where_not_enabled() {
    let system = System::with("faults", |wishes| {
        let enabled = "LICTOR_FAULTS__ENABLED";
        wishes.zones(["a"]).set_for(VICTIM, enabled, "true")
    })
    .await;
    stored(&system).await;
    on_demand(&system).await;
    system.stop().await;
}

/// Written into the store with the moment of its end; nobody takes it away.
async fn stored(system: &System) {
    let until = unix_ms() + LASTS.as_millis();
    let slow = json!({
        "kind": "latency",
        "ms": u64::try_from(SLOWER.as_millis()).unwrap(),
        "until": u64::try_from(until).unwrap(),
    });
    let store = Store::of(system);
    store.put(&format!("faults/{VICTIM}"), &slow).await;

    let inventory = direct(system);
    felt("a slow answer", || async {
        let begin = Instant::now();
        let answer = inventory.get(ITEMS).await;
        let answer = answer.map_err(|failure| failure.to_string())?;
        let took = begin.elapsed();
        if answer.status == 200 && took >= SLOWER {
            Ok(())
        } else {
            Err(format!("{} after {took:?}", answer.status))
        }
    })
    .await;
    let standing = system.faults().await.unwrap();
    assert_eq!(standing.len(), 1, "{standing:?}");
    let fault = &standing[0].faults[0];
    assert_eq!(
        (&fault["kind"], &fault["origin"]),
        (&json!("latency"), &json!("kv")),
        "{fault}"
    );

    let over = wait::until("the fault to be over", LASTS + SOON, || nothing(system));
    over.await.unwrap();
    assert!(unix_ms() >= until, "not before its time");
    felt("a quick answer", || async {
        let begin = Instant::now();
        let answer = inventory.get(ITEMS).await;
        let took = begin.elapsed();
        match answer {
            Ok(answer) if answer.status == 200 && took < SLOWER => Ok(()),
            answer => Err(format!("{answer:?} after {took:?}")),
        }
    })
    .await;
    store.delete(&format!("faults/{VICTIM}")).await;
}

/// What `cargo stack fault` calls.
async fn on_demand(system: &System) {
    let inventory = direct(system);
    let failing = json!({ "kind": "error", "status": 507, "for_s": 60 });
    let struck = system.fault(VICTIM, &failing).await.unwrap();
    assert_eq!(struck, ["inventory-a1"]);
    assert_eq!(inventory.get(ITEMS).await.unwrap().status, 507);
    assert_eq!(system.clear_faults(Some(VICTIM)).await.unwrap(), 1);
    assert_eq!(inventory.get(ITEMS).await.unwrap().status, 200);

    let refused = system.fault("users", &failing).await.unwrap_err();
    let refused = refused.to_string();
    assert!(
        refused.contains("faults.enabled") && refused.contains("faults_disabled"),
        "{refused}"
    );
    let kind = json!({ "kind": "melt", "for_s": 60 });
    let nonsense = system.fault(VICTIM, &kind).await.unwrap_err();
    assert!(nonsense.to_string().contains("kind"), "{nonsense}");
    nothing(system).await.unwrap();
}

fn unix_ms() -> u128 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap().as_millis()
}

fn direct(system: &System) -> Client {
    let instance = system.instance("inventory-a1").unwrap();
    Client::new(instance.addresses.public)
}

async fn nothing(system: &System) -> Result<(), String> {
    let standing = system.faults().await.map_err(|error| error.to_string())?;
    if standing.is_empty() {
        Ok(())
    } else {
        Err(format!("{standing:?}"))
    }
}

async fn felt<F>(what: &str, look: impl FnMut() -> F)
where
    F: Future<Output = Result<(), String>>,
{
    wait::until(what, SOON, look).await.unwrap();
}
