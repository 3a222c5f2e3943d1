//! A whole run from start to end, as a library, with stand-ins for the services.

use std::path::PathBuf;
use std::time::Duration;

use stack::{Builder, Plan, Stack, State};

use super::stand_ins;

fn builder(name: &str, binaries: &tempfile::TempDir) -> Builder {
    Stack::builder()
        .state(format!("stack-test/runner-{name}"))
        .binaries(binaries.path())
        .build(false)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_registered_answers_and_leaves_nothing_behind() {
    let binaries = stand_ins();
    let stack = builder("whole", &binaries).start().await.unwrap();
    let table = stack.status().await;
    assert_eq!(table.0.len(), 12, "{table}");
    assert!(
        table
            .0
            .iter()
            .filter(|row| row.name != "consul")
            .all(|row| row.consul == "passing" && row.state == "running"),
        "{table}"
    );
    assert_eq!(stack.client().get("/api/users").await.unwrap().status, 200);
    assert!(stack.place().run_file().is_file());

    let (place, pids) = (
        stack.place().clone(),
        table.0.iter().filter_map(|row| row.pid).collect::<Vec<_>>(),
    );
    assert!(stack.stop().await.is_empty(), "everything ended by itself");
    assert!(!place.run_file().exists() && !place.control_socket().exists());
    for pid in pids {
        assert!(
            !std::path::Path::new(&format!("/proc/{pid}")).exists(),
            "{pid} lives"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_and_restarted_instances_keep_their_addresses() {
    let binaries = stand_ins();
    let stack = builder("verbs", &binaries)
        .services(["users", "orders"])
        .start()
        .await
        .unwrap();
    let addresses = |stack: &Stack| {
        stack
            .instances()
            .map(|instance| instance.addresses.public)
            .collect::<Vec<_>>()
    };
    let before = addresses(&stack);

    stack.kill("users-a1").await.unwrap();
    assert_eq!(
        stack.instance("users-a1").unwrap().unit.state(),
        State::Stopped
    );
    stack.restart("users-a1").await.unwrap();

    let downed = stack.zone_down("a").await.unwrap();
    assert_eq!(
        downed,
        ["users-a1", "orders-a1"],
        "services only, never a gateway"
    );
    stack.zone_up("a").await.unwrap();
    assert_eq!(addresses(&stack), before);
    assert_eq!(stack.instance("users-a1").unwrap().unit.starts(), 3);

    let unknown = stack.kill("users-c1").await.unwrap_err().to_string();
    assert!(
        unknown.contains("users-c1") && unknown.contains("gateway-1, users-a1, users-b1"),
        "{unknown}"
    );
    assert!(
        stack
            .zone_down("z")
            .await
            .unwrap_err()
            .to_string()
            .contains("known: a, b")
    );
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consul_that_lost_everything_gets_it_back() {
    let binaries = stand_ins();
    let stack = builder("consul", &binaries)
        .services(["users"])
        .start()
        .await
        .unwrap();
    stack.kill("consul").await.unwrap();
    assert!(stack.registered().await.is_err());
    stack.consul_start(true).await.unwrap();
    assert_eq!(stack.registered().await.unwrap().len(), 3);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_does_not_start_is_named_with_its_last_words() {
    let binaries = stand_ins();
    let wishes = builder("refused", &binaries)
        .services(["users", "orders"])
        .set("LICTOR_STAND_IN__REFUSE", "orders")
        .set("RUST_BACKTRACE", "0");
    let error = wishes.start().await.unwrap_err().to_string();
    assert!(
        error.contains("orders-") && error.contains("told not to start"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_in_the_same_place_is_refused() {
    let binaries = stand_ins();
    let first = builder("twice", &binaries)
        .services(["users"])
        .start()
        .await
        .unwrap();
    let error = builder("twice", &binaries)
        .start()
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("running already")
            && error.contains(&first.gateway().addresses.public.to_string()),
        "{error}"
    );
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handle_that_is_dropped_takes_its_processes_with_it() {
    let binaries = stand_ins();
    let stack = builder("dropped", &binaries)
        .services(["users"])
        .start()
        .await
        .unwrap();
    let pids: Vec<u32> = stack
        .status()
        .await
        .0
        .iter()
        .filter_map(|row| row.pid)
        .collect();
    drop(stack);
    stack::wait::until("the end of all", Duration::from_secs(10), || async {
        let left: Vec<&u32> = pids
            .iter()
            .filter(|pid| PathBuf::from(format!("/proc/{pid}")).exists())
            .collect();
        if left.is_empty() {
            Ok(())
        } else {
            Err(format!("{left:?}"))
        }
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_journey_of_the_shop_runs_against_it() {
    let binaries = stand_ins();
    let stack = builder("load", &binaries).start().await.unwrap();
    let load = stack
        .load(Plan {
            rate: 100.0,
            duration: Duration::from_secs(1),
        })
        .await
        .unwrap();
    let report = load.finish().await;
    assert_eq!((report.requests, report.errors), (100, 0), "{report}");
    assert_eq!(report.latency.len(), 8, "seven routes and all: {report}");
    stack.stop().await;
}
