//! Whose failure it is: the client's, one instance's, or the whole service's.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use crate::{
    rig::{Rig, request},
    upstream::{Then, Upstream, ok},
};

/// Nothing in the place of what fails, and no quota in the way.
const PLAIN: &str = "[limits]\naddress = { requests = 100000, per_ms = 1000, burst = 100000 }\n[limits.groups]\nusers = { requests = 100000, per_ms = 1000, burst = 100000 }\n";

#[test]
fn a_body_that_ended_late_is_not_the_upstreams_failure_whoever_says_that_time_is_up() {
    let asked = AtomicUsize::new(0);
    let orders = Upstream::playing(move |turn| {
        turn.read_body();
        if asked.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) {
            turn.wait_for_the_end();
            return Then::Close;
        }
        turn.write(b"HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n");
        Then::Keep
    });
    let rig = Rig::with(
        "[routes.orders_write]\ntimeout_ms = 1000\n",
        &[("", &[orders.address])],
    );
    let head = request("POST", "/api/orders", &["Content-Length: 2"], b"");
    let mut wires: Vec<_> = (0..10).map(|_| rig.connect()).collect();
    for wire in &mut wires {
        wire.send(&head);
    }
    // More than half of the route's time is gone by then, and not all of it.
    std::thread::sleep(Duration::from_millis(700));
    for wire in &mut wires {
        wire.send(b"{}");
    }
    let statuses: Vec<u16> = wires.iter_mut().map(|wire| wire.answer().status).collect();
    assert!(orders.count() >= 5, "the upstream was asked: {statuses:?}");
    for name in ["lictor_breaker_transitions_total", "lictor_ejections_total"] {
        assert_eq!(rig.metric(name, &[]), 0.0, "{name}: {statuses:?}");
    }
}

#[test]
fn a_service_that_cuts_all_of_its_answers_is_soon_not_asked_any_more() {
    let cut = || {
        Upstream::playing(|turn| {
            turn.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this much");
            Then::Close
        })
    };
    let instances = [cut(), cut(), cut()];
    let addresses = instances.each_ref().map(|one| one.address);
    let rig = Rig::with(PLAIN, &[("", &addresses)]);
    let open = || rig.metric("lictor_breaker_state", &[("upstream", "users")]) == 2.0;
    // Ten calls, and those that one instance's ejection left without another.
    let asked = (0..40).take_while(|_| {
        let mut wire = rig.connect();
        wire.send(&request("GET", "/api/users", &[], b""));
        let _ = wire.try_answer();
        !open()
    });
    let asked = asked.count();
    assert!(open(), "still asked after {asked} cut answers");
    assert_eq!(rig.get("/api/users").code(), "circuit_open");
}

#[test]
fn a_part_of_an_aggregate_is_asked_of_another_instance_when_one_hangs() {
    let hanging = Upstream::playing(|turn| {
        turn.wait_for_the_end();
        Then::Close
    });
    let well = Upstream::answering(ok("{\"id\":\"usr_7\",\"name\":\"Ada\"}"));
    let orders = Upstream::answering(ok("{\"items\":[],\"total\":0}"));
    let rig = Rig::with(
        "[routes.profile]\ntimeout_ms = 4000\n",
        &[
            ("users", &[hanging.address, well.address]),
            ("orders", &[orders.address]),
            ("", &[]),
        ],
    );
    for _ in 0..8 {
        let answer = rig.get("/api/users/usr_7/profile");
        assert_eq!(
            answer.header("x-gateway-complete"),
            Some("true"),
            "{answer:?}"
        );
    }
    assert!(hanging.count() > 0, "the hanging one was asked");
    let seen = &orders.seen()[0];
    assert_eq!(seen.header("x-auth-subject"), Some("demo"));
    assert!(seen.header("x-auth-scopes").is_some(), "{seen:?}");
}
