//! Consul dies and comes back knowing nothing; clients do not notice.

use crate::stage::play;
use stack::{Plan, wait};
use std::time::{Duration, Instant};
use tokio::time::sleep;

#[tokio::test]
async fn a_consul_that_returns_with_an_empty_disk_costs_no_request_and_is_told_everything_again() {
    play(|stack| async move {
        let load = stack
            .load(Plan {
                rate: 200.0,
                duration: Duration::from_secs(40),
            })
            .await
            .unwrap();
        sleep(Duration::from_secs(3).saturating_sub(load.elapsed())).await;
        stack.consul_kill().await.unwrap();
        sleep(Duration::from_secs(15).saturating_sub(load.elapsed())).await;
        stack.consul_start(true).await.unwrap();
        let back = Instant::now();
        wait::until("all registrations", Duration::from_secs(15), || async {
            let health = stack.health().await?;
            let passing = health
                .values()
                .filter(|status| *status == "passing")
                .count();
            if passing == 11 {
                Ok(())
            } else {
                Err(format!("{passing} of 11 are passing"))
            }
        })
        .await
        .unwrap();
        println!(
            "all 11 registrations back {:.1} s after Consul",
            back.elapsed().as_secs_f64()
        );
        let report = load.finish().await;
        println!("{report}");
        assert_eq!(report.errors, 0, "of {} requests", report.requests);
    })
    .await;
}
