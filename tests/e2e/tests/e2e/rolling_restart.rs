//! Draining: an instance that is asked to go finishes what it does, and nobody is sent to it any more.

use std::time::Duration;

use stack::Plan;

use super::system::{System, second};

const RATE: f64 = 100.0;
/// Ten restarts take half a minute; a busy machine may need more.
const LONGEST: Duration = Duration::from_secs(150);

#[tokio::test(flavor = "multi_thread")]
async fn every_service_can_be_restarted_under_load_without_an_error() {
    let system = System::start("rolling").await;
    let load = system
        .load(Plan {
            rate: RATE,
            duration: LONGEST,
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
    let took = load.elapsed();
    assert!(took < LONGEST, "all ten within the load: {took:?}");
    let report = load.end().await;
    assert_eq!(report.errors, 0, "{report}");
    let sent = RATE * took.as_secs_f64();
    assert!(report.requests as f64 >= 0.9 * sent, "{report}");
    system.stop().await;
}
