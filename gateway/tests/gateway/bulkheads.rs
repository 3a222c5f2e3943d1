//! A service that hangs fills its own places and nobody else's.

use std::time::{Duration, Instant};

use crate::{
    rig::{Rig, request},
    upstream::{Then, Upstream, ok},
    wire::{Wire, eventually},
};

fn hanging() -> Upstream {
    Upstream::playing(|turn| {
        turn.wait_at_the_gate();
        turn.write(ok("{}").as_bytes());
        Then::Keep
    })
}

#[test]
fn a_full_bulkhead_refuses_at_once_beside_a_well_service() {
    let (users, orders) = (hanging(), Upstream::well());
    let rig = Rig::with(
        "[upstreams.users]\nmost_in_flight = 4\n[limits.groups]\norders = { requests = 1000, per_ms = 1000, burst = 1000 }\n",
        &[("users", &[users.address]), ("orders", &[orders.address])],
    );
    let mut held: Vec<Wire> = (0..4).map(|_| rig.connect()).collect();
    for wire in &mut held {
        wire.send(&request("GET", "/api/users", &[], b""));
    }
    eventually(|| users.count(), |count| *count == 4);
    let began = Instant::now();
    for _ in 0..20 {
        let full = rig.get("/api/users");
        assert_eq!((full.status, full.code().as_str()), (503, "bulkhead_full"));
        assert!(full.header("retry-after").is_some());
        assert_eq!(rig.ask("POST", "/api/orders", &[], b"{}").status, 200);
    }
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    assert_eq!((users.count(), orders.count()), (4, 20));
    assert_eq!(
        rig.metric(
            "lictor_calls_refused_total",
            &[("upstream", "users"), ("reason", "bulkhead_full")]
        ),
        20.0
    );
    users.open_gate();
    for wire in &mut held {
        assert_eq!(wire.answer().status, 200);
    }
    assert_eq!(
        rig.get("/api/users").status,
        200,
        "a refusal of ours is not its failure"
    );
    assert_eq!(rig.metric("lictor_breaker_transitions_total", &[]), 0.0);
    assert_eq!(rig.metric("lictor_ejections_total", &[]), 0.0);
}

#[test]
fn what_a_route_has_in_its_place_answers_while_its_bulkhead_is_full() {
    let recommendations = hanging();
    let rig = Rig::with(
        "[upstreams.recommendations]\nmost_in_flight = 1\n",
        &[("", &[recommendations.address])],
    );
    let mut held = rig.connect();
    held.send(&request("GET", "/api/recommendations/usr_7", &[], b""));
    eventually(|| recommendations.count(), |count| *count == 1);
    let answer = rig.get("/api/recommendations/usr_7");
    assert_eq!(
        (answer.status, answer.header("x-gateway-fallback")),
        (200, Some("static"))
    );
    recommendations.open_gate();
    let first = held.answer();
    assert_eq!(
        (first.status, first.header("x-gateway-fallback")),
        (200, None)
    );
}
