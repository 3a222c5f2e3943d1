//! What operators change while requests pass: a route's maintenance, a breaker's mode.

use std::time::Instant;

use ::upstream::Mode;
use gateway::maintenance;
use serde_json::json;
use service::live::Effect;

use crate::{rig::Rig, upstream::Upstream};

#[test]
fn a_closed_route_answers_503_with_a_wait_and_its_upstream_sees_nothing() {
    let shop = Upstream::well();
    let rig = Rig::in_front_of(&shop);
    let routes = maintenance::setting(rig.gateway.clone());
    assert_eq!(rig.get("/api/users").status, 200);
    let before = shop.seen().len();

    let closed = json!({ "maintenance": true, "retry_after_s": 120 }).to_string();
    assert_eq!(routes.apply("users", Some(&closed)), Ok(Effect::Applied));
    for headers in [&[][..], &["X-API-Key: nobody.knows"]] {
        let answer = rig.ask("GET", "/api/users", headers, b"");
        assert_eq!(
            (answer.status, answer.code()),
            (503, "maintenance".to_owned())
        );
        assert_eq!(answer.header("retry-after"), Some("120"));
    }
    assert_eq!(shop.seen().len(), before);
    assert_eq!(rig.get("/api/orders").status, 200, "the others stay open");
    assert_eq!(
        rig.metric("lictor_route_maintenance", &[("route", "users")]),
        1.0
    );
    assert_eq!(
        rig.metric("lictor_gateway_refusals_total", &[("code", "maintenance")]),
        2.0
    );

    assert_eq!(routes.apply("users", None), Ok(Effect::Applied));
    assert_eq!(rig.get("/api/users").status, 200);
    assert_eq!(
        rig.metric("lictor_route_maintenance", &[("route", "users")]),
        0.0
    );
}

#[test]
fn a_refused_value_leaves_the_route_as_it_was() {
    let rig = Rig::in_front_of(&Upstream::well());
    let routes = maintenance::setting(rig.gateway.clone());
    let closed = json!({ "maintenance": true }).to_string();
    let unknown = routes.apply("usres", Some(&closed)).unwrap_err();
    assert_eq!(unknown, "no route is called so");
    assert_eq!(routes.apply("usres", None), Ok(Effect::NotOurs));

    routes.apply("users", Some(&closed)).unwrap();
    routes
        .apply("users", Some("{\"maintenance\":0}"))
        .unwrap_err();
    assert_eq!(rig.get("/api/users").status, 503);
    // An aggregate is a route like any other.
    routes.apply("dashboard", Some(&closed)).unwrap();
    assert_eq!(rig.get("/api/dashboard").status, 503);
}

#[test]
fn a_breaker_held_open_refuses_at_once_and_every_other_mode_lets_a_well_service_answer() {
    let payments = Upstream::well();
    let rig = Rig::in_front_of(&payments);
    let pool = &rig.gateway.upstreams["payments"].pool;
    let ask = || rig.get("/api/payments/1");

    pool.set_breaker_mode(Mode::ForcedOpen, Instant::now());
    let refused = ask();
    assert_eq!(
        (refused.status, refused.code()),
        (503, "circuit_open".to_owned())
    );
    assert!(refused.header("retry-after").is_some());
    assert_eq!(payments.count(), 0);
    for mode in [Mode::Observe, Mode::Disabled, Mode::Auto] {
        pool.set_breaker_mode(mode, Instant::now());
        assert_eq!(ask().status, 200, "{}", mode.as_str());
    }
}
