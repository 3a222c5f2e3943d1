//! Draining: an instance that is asked to go finishes what it does, and nobody is sent to it any more.

use std::time::Duration;

use stack::Plan;

use super::system::{System, second};

#[tokio::test(flavor = "multi_thread")]
async fn every_service_can_be_restarted_under_load_without_an_error() {
    let system = System::start("rolling").await;
    let load = system
        .load(Plan {
            rate: 100.0,
            duration: Duration::from_secs(45),
        })
        .await
        .unwrap();
    second(&load, 1).await;
    let names: Vec<String> = system
        .instances()
        .filter(|one| one.service != "gateway")
        .map(|one| one.name().to_owned())
        .collect();
    for name in names {
        load.mark(format!("{name} restarted"));
        system.restart(&name).await.unwrap();
    }
    assert!(
        load.elapsed() < Duration::from_secs(45),
        "all ten within the load: {:?}",
        load.elapsed()
    );
    let report = load.finish().await;
    assert_eq!((report.requests, report.errors), (4_500, 0), "{report}");
    system.stop().await;
}
