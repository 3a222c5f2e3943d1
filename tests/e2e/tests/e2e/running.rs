//! The path runs: everything is registered, every route answers, and little memory is used.

use crate::stage::play;
use stack::Plan;
use std::time::Duration;

#[tokio::test]
async fn every_instance_is_registered_and_passing_and_every_route_answers() {
    play(|stack| async move {
        let health = stack.health().await.unwrap();
        assert_eq!(
            health.len(),
            11,
            "five services in two zones and the gateway: {health:?}"
        );
        assert!(
            health.values().all(|status| status == "passing"),
            "{health:?}"
        );

        let client = stack.load_client();
        let users = client.get("/api/users").await.unwrap();
        assert_eq!(users.status, 200, "{}", users.text());
        let user = users.json()["items"][0]["id"].as_str().unwrap().to_owned();
        for path in [
            format!("/api/users/{user}"),
            "/api/users/stats".to_owned(),
            "/api/orders".to_owned(),
            "/api/orders/stats".to_owned(),
            format!("/api/orders/user/{user}"),
            "/api/inventory/items".to_owned(),
            format!("/api/recommendations/{user}"),
            format!("/api/users/{user}/profile"),
            "/api/dashboard".to_owned(),
            "/api/health".to_owned(),
            "/api/inventory/health".to_owned(),
        ] {
            let answer = client.get(&path).await.unwrap();
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            assert!(
                answer.json()["partial"] != true,
                "{path}: {}",
                answer.text()
            );
            assert!(answer.header("x-request-id").is_some(), "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn after_a_load_each_process_is_small() {
    play(|stack| async move {
        let load = stack
            .load(Plan {
                rate: 200.0,
                duration: Duration::from_secs(10),
            })
            .await
            .unwrap();
        let report = load.finish().await;
        println!("{report}");
        assert_eq!(report.errors, 0);
        for instance in stack.instances() {
            let resident = instance
                .unit
                .process()
                .and_then(|process| process.resident_kib())
                .unwrap();
            let most = if instance.service == "gateway" {
                40
            } else {
                30
            };
            println!(
                "{} {:.1} MB of {most}",
                instance.name(),
                resident as f64 / 1024.0
            );
            assert!(
                resident <= most * 1024,
                "{} uses {resident} KiB",
                instance.name()
            );
        }
    })
    .await;
}
