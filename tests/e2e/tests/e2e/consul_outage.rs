//! Traffic keeps flowing without Consul, and everything is registered again soon after it is back with an empty disk.

use std::time::Duration;

use stack::Plan;

use super::system::{System, second};

/// What design and README promise.
const REGISTERED_AGAIN: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread")]
async fn a_consul_that_dies_and_forgets_costs_no_request() {
    let system = System::start("consul-outage").await;
    let load = system
        .load(Plan {
            rate: 100.0,
            duration: Duration::from_secs(45),
        })
        .await
        .unwrap();

    second(&load, 3).await;
    load.mark("consul killed");
    system.kill("consul").await.unwrap();
    second(&load, 15).await;
    load.mark("consul started, empty");
    let took = system.consul_start(true).await.unwrap();

    let report = load.finish().await;
    assert_eq!((report.requests, report.errors), (4_500, 0), "{report}");
    assert!(
        took <= REGISTERED_AGAIN,
        "all registrations were back after {took:.1?}"
    );
    assert_eq!(
        system.registered().await.unwrap().len(),
        11,
        "5 services x 2 zones and the gateway"
    );
    system.stop().await;
}
