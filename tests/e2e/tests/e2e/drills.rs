//! Every drill on its short terms: seconds instead of minutes, the same code as `cargo stack drill NAME`.
//!
//! What a promise needs minutes for is proved by the full terms; these see it broken.

use stack::drill::{DRILLS, Drill, Terms};

use super::system::turn;

async fn drilled(name: &str) {
    let _turn = turn().await;
    let drill = Drill::named(name).unwrap();
    let findings = drill.run(&Terms::short()).await;
    let findings = findings.unwrap_or_else(|error| panic!("{name}: {error}"));
    println!("{findings}");
    assert!(findings.held(), "{findings}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_instances_cost_no_idempotent_request_and_no_order_is_placed_twice() {
    drilled("kill-instance").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_instance_is_left_alone_and_taken_back() {
    drilled("freeze-instance").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_exactly_that_over_workers_and_gateways() {
    drilled("rate-limit").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_makes_one_order_whatever_the_wire_does() {
    drilled("idempotency").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_times_its_capacity_costs_the_gateway_none_of_it() {
    drilled("overload").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_and_a_failing_service_are_noticed_by_nobody_else() {
    drilled("slow-service").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_never_multiply_the_load() {
    drilled("retry-budget").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_taken_and_settled_while_inventory_is_slow_failing_hanging_or_dead() {
    drilled("cascade").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_down_or_hung_costs_nobody_anything() {
    drilled("collector").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_tracing_costs_is_known() {
    drilled("tracing-cost").await;
}

#[test]
fn every_drill_is_here() {
    let source = include_str!("drills.rs");
    let missing: Vec<_> = DRILLS
        .iter()
        .filter(|drill| !source.contains(&format!("drilled(\"{}\")", drill.name)))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
