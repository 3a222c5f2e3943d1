//! Instances and zones are lost and come back under load; clients do not notice.

use crate::stage::play;
use stack::Plan;
use std::time::Duration;
use tokio::time::sleep;

/// Of the load's own schedule: it lasts, so the scenario acts at its seconds.
async fn at(load: &stack::Load, second: u64) {
    sleep(Duration::from_secs(second).saturating_sub(load.elapsed())).await;
}

#[tokio::test]
async fn a_killed_instance_and_a_lost_zone_cost_no_request_and_traffic_stays_local_otherwise() {
    play(|stack| async move {
        let load = stack
            .load(Plan {
                rate: 200.0,
                duration: Duration::from_secs(40),
            })
            .await
            .unwrap();
        at(&load, 5).await;
        stack.kill("users-a1").await.unwrap();
        at(&load, 9).await;
        stack.restart("users-a1").await.unwrap();
        at(&load, 14).await;
        stack.zone_down("a").await.unwrap();
        at(&load, 22).await;
        stack.zone_up("a").await.unwrap();
        let report = load.finish().await;
        println!("{report}");
        assert_eq!(report.errors, 0, "of {} requests", report.requests);
        let (before, during, after) = (
            report.share("a", 0..5),
            report.share("a", 16..22),
            report.share("a", 36..40),
        );
        println!(
            "share of zone a: before {before:.3}, while it was down {during:.3}, after {after:.3}"
        );
        assert!(before >= 0.95 && during == 0.0 && after >= 0.95);
    })
    .await;
}
