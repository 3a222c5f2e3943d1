//! Clients do not notice a killed instance, nor a lost zone.

use std::time::Duration;

use stack::Plan;

use super::system::{System, second};

const PLAN: Plan = Plan {
    rate: 200.0,
    duration: Duration::from_secs(40),
};

/// What is expected of the local zone while it is whole.
const MOSTLY: f64 = 0.95;

#[tokio::test(flavor = "multi_thread")]
async fn clients_do_not_notice_a_killed_instance_nor_a_lost_zone() {
    let system = System::start("failover").await;
    let load = system.load(PLAN).await.unwrap();

    second(&load, 5).await;
    load.mark("users-a1 killed");
    system.kill("users-a1").await.unwrap();
    second(&load, 9).await;
    load.mark("users-a1 started");
    system.restart("users-a1").await.unwrap();

    second(&load, 15).await;
    load.mark("zone a down");
    system.zone_down("a").await.unwrap();
    let down = load.elapsed().as_secs() + 1;
    second(&load, 25).await;
    let still_down = load.elapsed().as_secs();
    load.mark("zone a up");
    system.zone_up("a").await.unwrap();
    let back = load.elapsed().as_secs() + 2;

    let report = load.finish().await;
    assert_eq!(report.requests, 8_000, "{report}");
    assert_eq!(report.errors, 0, "{report}");
    assert!(report.share("a", 0..5) >= MOSTLY, "before: {report}");
    assert_eq!(report.share("a", down..still_down), 0.0, "during: {report}");
    assert!(report.share("a", back..40) >= MOSTLY, "after: {report}");

    for row in system.status().await.0 {
        let limit = if row.name.starts_with("gateway") {
            40_000_000
        } else {
            30_000_000
        };
        let bytes = row.resident_kib.unwrap() * 1024;
        assert!(
            row.name == "consul" || bytes <= limit,
            "{} takes {bytes} bytes after the load",
            row.name
        );
    }
    system.stop().await;
}
