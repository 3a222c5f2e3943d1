//! The shop through the gateway: what is registered, what answers, what is missing when a part is dead.

use std::collections::BTreeSet;
use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

use super::system::{System, eventually, ok};

/// Breakers, ejection and retries settle in less.
const SOON: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_registered_with_zone_and_version_and_the_shop_is_open() {
    let system = System::start("shop").await;
    let consul = stack::Client::new(system.consul().address());
    for service in [
        "users",
        "orders",
        "inventory",
        "payments",
        "recommendations",
        "gateway",
    ] {
        let listed = ok(consul
            .get(&format!("/v1/health/service/{service}?passing"))
            .await)
        .json();
        let zones: Vec<&str> = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["Service"]["Meta"]["zone"].as_str().unwrap())
            .collect();
        let expected: &[&str] = if service == "gateway" {
            &["a"]
        } else {
            &["a", "b"]
        };
        assert_eq!(
            zones.iter().collect::<BTreeSet<_>>(),
            expected.iter().collect(),
            "{service}: {listed}"
        );
        for entry in listed.as_array().unwrap() {
            let (meta, tags) = (
                &entry["Service"]["Meta"],
                entry["Service"]["Tags"].to_string(),
            );
            assert!(
                meta["version"].is_string() && meta["ops_port"].is_string(),
                "{meta}"
            );
            assert!(
                tags.contains("zone=") && tags.contains("version="),
                "{tags}"
            );
        }
    }

    let client = system.load_client();
    let order = ok(client.post("/api/orders", &system.order().await).await).json();
    let (id, user) = (
        order["id"].as_str().unwrap(),
        order["user_id"].as_str().unwrap(),
    );
    assert_eq!(
        ok(client.get(&format!("/api/orders/{id}")).await).json()["id"],
        order["id"]
    );
    for path in [
        &format!("/api/users/{user}"),
        &format!("/api/orders/user/{user}"),
        &format!("/api/recommendations/{user}"),
        "/api/users/stats",
    ] {
        ok(client.get(path).await);
    }
    let profile = ok(client.get(&format!("/api/users/{user}/profile")).await).json();
    assert_eq!(
        (&profile["user"]["id"], &profile["partial"]),
        (&order["user_id"], &json!(false)),
        "{profile}"
    );
    let health = ok(client.get("/api/health").await).json();
    assert!(
        [
            "users",
            "orders",
            "inventory",
            "payments",
            "recommendations"
        ]
        .iter()
        .all(|name| health.to_string().contains(name)),
        "{health}"
    );

    let dashboard = ok(client.get("/api/dashboard").await).json();
    for number in [
        "total_users",
        "total_orders",
        "pending_orders",
        "completed_orders",
        "total_revenue",
    ] {
        assert!(dashboard[number].is_number(), "{number}: {dashboard}");
    }

    let document = ok(client.get("/api/openapi.json").await).json();
    assert_eq!(document["x-lictor-missing"], json!([]));
    contract::valid(&document);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_service_is_named_as_missing_and_never_a_404() {
    let system = System::start("dead-service").await;
    let client = system.load_client();
    let user = system.ids("/api/users", "id").await.remove(0);
    for (service, missing) in [("orders", "orders"), ("users", "user")] {
        for zone in ["a", "b"] {
            system.kill(&format!("{service}-{zone}1")).await.unwrap();
        }
        let path = format!("/api/{service}");
        let refused = eventually(&client, &path, SOON, |answer| answer.status == 503).await;
        assert!(
            refused.header("retry-after").is_some(),
            "{:?}",
            refused.headers
        );
        assert_eq!(
            refused.header("content-type"),
            Some("application/problem+json")
        );
        for aggregate in [
            format!("/api/users/{user}/profile"),
            "/api/dashboard".to_owned(),
        ] {
            let answer = eventually(&client, &aggregate, SOON, |answer| answer.status == 200).await;
            let (body, complete) = (answer.json(), answer.header("x-gateway-complete"));
            assert_eq!(
                (&body["partial"], complete),
                (&json!(true), Some("false")),
                "{body}"
            );
            assert!(
                body["missing"].to_string().contains(missing),
                "{service} is dead: {body}"
            );
        }
        ok(client.get("/api/inventory/items").await);
        for zone in ["a", "b"] {
            system.restart(&format!("{service}-{zone}1")).await.unwrap();
        }
        eventually(&client, &path, SOON, |answer| answer.status == 200).await;
    }
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_recommendations_people_see_the_popular_items() {
    let system = System::start("dead-recommendations").await;
    let client = system.load_client();
    let user = system.ids("/api/users", "id").await.remove(0);
    for zone in ["a", "b"] {
        system
            .kill(&format!("recommendations-{zone}1"))
            .await
            .unwrap();
    }
    let path = format!("/api/recommendations/{user}");
    let answer = eventually(&client, &path, SOON, |answer| answer.status == 200).await;
    assert_eq!(answer.json()["source"], "popular", "{}", answer.text());
    assert!(
        answer.json()["items"]
            .as_array()
            .is_some_and(|items| !items.is_empty()),
        "{}",
        answer.text()
    );
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_that_are_too_slow_never_leave_a_key_in_progress() {
    let system = System::with("shop-slow-payments", |wishes| {
        wishes.set("LICTOR_FAULTS__ENABLED", "true")
    })
    .await;
    let order = system.order().await;
    let slow = json!({ "kind": "latency", "ms": 1500, "for_s": 60 });
    system.fault("payments", &slow).await.unwrap();
    let client = system.load_client();
    let mut said = Vec::new();
    for key in ["slow-1", "slow-2", "slow-3", "slow-4", "slow-5", "slow-6"] {
        let headers = [("idempotency-key", key)];
        let path = "/api/orders";
        let placed = client.call(Method::POST, path, Some(&order), &headers, SOON);
        let answer = placed.await.unwrap();
        said.push((answer.status, answer.json()["code"].clone()));
    }
    // A second attempt that met the first one still at work would be a 409.
    let slow = [
        "payments_unavailable",
        "deadline_exceeded",
        "upstream_timeout",
        "circuit_open",
    ];
    let told = |(status, code): &(u16, Value)| {
        [503, 504].contains(status) && slow.contains(&code.as_str().unwrap_or_default())
    };
    assert!(said.iter().all(told), "{said:?}");
    system.stop().await;
}
