//! Each fault, set through the admin listener of a running process, seen by its callers, and gone.

use super::sick::{Sick, until};
use super::wire;
use serde_json::{Value, json};
use std::time::Duration;

const FAULT: &str = "x-lictor-fault";

#[test]
fn a_slow_service_answers_late_and_says_why() {
    let sick = Sick::start();
    sick.fault(json!({"kind": "latency", "ms": 300, "for_s": 60}));
    let answer = sick.ask("GET /ping");
    assert!(
        answer.took >= Duration::from_millis(300),
        "{:?}",
        answer.took
    );
    assert_eq!(
        (answer.status, answer.header(FAULT)),
        (200, Some("latency"))
    );
    assert_eq!(sick.metric("lictor_faults_active{kind=\"latency\"}"), 1.0);
    assert_eq!(
        sick.metric("lictor_faults_injected_total{kind=\"latency\"}"),
        1.0
    );
    sick.heal();
    assert_eq!(sick.ask("GET /ping").header(FAULT), None);
    assert_eq!(sick.metric("lictor_faults_active{kind=\"latency\"}"), 0.0);
}

#[test]
fn a_fault_whose_time_is_up_is_gone_by_itself_and_nobody_needs_to_ask() {
    let sick = Sick::start();
    // Neither can be seen for sure before it ends: a busy machine may take all of that second.
    sick.fault(json!({"kind": "latency", "ms": 1, "for_s": 1}));
    sick.fault(json!({"kind": "down", "for_s": 1}));
    for kind in ["latency", "down"] {
        until("nothing is active", || {
            // While it is down, nobody tells.
            let metrics = wire::ask(sick.ops, "GET /metrics", &[], "");
            let none = format!("lictor_faults_active{{kind=\"{kind}\"}} 0");
            metrics.is_ok_and(|answer| answer.body.lines().any(|line| line == none))
        });
    }
    until("it is back", || {
        let answer = wire::ask(sick.public, "GET /ping", &[], "");
        answer.is_ok_and(|answer| answer.status == 200 && answer.header(FAULT).is_none())
    });
    let listed = sick.operate("GET /faults", &Value::Null).json();
    assert_eq!(listed["items"], json!([]));
}

#[test]
fn who_has_less_time_than_a_slow_service_takes_is_told_when_it_is_up() {
    let sick = Sick::start();
    sick.fault(json!({"kind": "latency", "ms": 5000, "for_s": 60}));
    let answer = sick.ask_with("GET /ping", 100);
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (504, "deadline_exceeded")
    );
    assert_eq!(answer.header(FAULT), Some("latency"));
    assert!(answer.took < Duration::from_secs(3), "{:?}", answer.took);
}

#[test]
fn a_failing_service_fails_the_requests_that_are_meant() {
    let sick = Sick::start();
    let id = sick.fault(
        json!({"kind": "error", "status": 503, "method": "GET", "path": "/notes", "for_s": 60}),
    );
    let answer = sick.ask("GET /notes");
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (503, "fault_injected")
    );
    assert_eq!(answer.header(FAULT), Some("error"));
    assert_eq!(answer.header("retry-after"), None);
    assert_eq!(sick.ask("GET /ping").status, 200);
    assert_eq!(sick.ask("PUT /notes").status, 201);
    assert_eq!(
        sick.operate(&format!("DELETE /faults/{id}"), &Value::Null)
            .status,
        204
    );
    assert_eq!(
        sick.operate(&format!("DELETE /faults/{id}"), &Value::Null)
            .status,
        404
    );
    assert_eq!(sick.ask("GET /notes").status, 200);
}

#[test]
fn a_share_of_the_requests_is_struck() {
    let sick = Sick::start();
    sick.fault(json!({"kind": "error", "percent": 50, "for_s": 60}));
    let failed = (0..100)
        .filter(|_| sick.ask("GET /ping").status == 500)
        .count();
    // One run in ten million lies outside.
    assert!((24..=76).contains(&failed), "{failed} of 100");
    assert_eq!(
        sick.metric("lictor_faults_injected_total{kind=\"error\"}"),
        failed as f64
    );
}

#[test]
fn a_hanging_service_says_nothing_not_even_that_time_is_up() {
    let sick = Sick::start();
    sick.fault(json!({"kind": "hang", "for_s": 60}));
    let silence = wire::ask_within(
        sick.public,
        "GET /ping",
        &["X-Request-Timeout-Ms: 50"],
        "",
        Duration::from_millis(500),
    );
    assert!(silence.is_err(), "{silence:?}");
    std::thread::scope(|scope| {
        let held = scope.spawn(|| sick.ask("GET /ping"));
        until("it is held", || {
            sick.metric("lictor_faults_injected_total{kind=\"hang\"}") == 2.0
        });
        assert!(!held.is_finished());
        sick.heal();
        assert_eq!(held.join().unwrap().status, 200);
    });
}

#[test]
fn a_dripping_answer_comes_whole_byte_by_byte() {
    let sick = Sick::start();
    sick.fault(json!({"kind": "drip", "ms": 200, "for_s": 60}));
    let answer = sick.ask("GET /ping");
    assert_eq!(
        (answer.body.as_str(), answer.header(FAULT)),
        ("pong", Some("drip"))
    );
    assert!(
        answer.took >= Duration::from_millis(600),
        "{:?}",
        answer.took
    );
}

#[test]
fn readiness_lies_both_ways_while_the_service_goes_on() {
    let sick = Sick::start();
    sick.fault(json!({"kind": "health", "ready": false, "for_s": 60}));
    let lie = sick.ready();
    assert_eq!((lie.status, lie.header(FAULT)), (503, Some("health")));
    assert_eq!(sick.ask("GET /ping").status, 200);
    sick.heal();
    assert_eq!(sick.ready().status, 200);
    sick.operate("PUT /health", &json!({"healthy": false}));
    assert_eq!(sick.ready().status, 503);
    sick.fault(json!({"kind": "health", "ready": true, "for_s": 60}));
    assert_eq!(sick.ready().status, 200);
}

#[test]
fn without_connections_to_its_store_a_service_refuses_what_needs_one() {
    let sick = Sick::start_with(&[("FAULTS__ENABLED", "true"), ("STORE__WAIT_MS", "200")]);
    sick.fault(json!({"kind": "connections", "for_s": 60}));
    for line in ["GET /notes", "POST /notes", "PUT /notes"] {
        until("no connection is left", || {
            sick.ask(line).code() == "store_unavailable"
        });
    }
    assert_eq!(sick.ask("GET /ping").status, 200);
    sick.heal();
    until("the connections are back", || {
        sick.ask("GET /notes").status == 200
    });
}

#[test]
fn a_slow_database_slows_what_asks_it_and_nothing_else() {
    let sick = Sick::start();
    sick.fault(json!({"kind": "database", "ms": 300, "for_s": 60}));
    for (line, status) in [
        ("GET /notes", 200),
        ("PUT /notes", 201),
        ("POST /notes", 201),
    ] {
        let answer = sick.ask(line);
        assert_eq!(answer.status, status);
        assert!(
            answer.took >= Duration::from_millis(300),
            "{line}: {:?}",
            answer.took
        );
    }
    let database = "lictor_faults_injected_total{kind=\"database\"}";
    let slowed = sick.metric(database);
    assert_eq!(slowed, 3.0);
    assert_eq!(sick.ask("GET /ping").status, 200);
    assert_eq!(sick.metric(database), slowed, "it asks no database");
}

#[test]
fn a_service_that_is_down_refuses_and_comes_back_at_the_same_address() {
    let sick = Sick::start();
    std::thread::scope(|scope| {
        sick.fault(json!({"kind": "latency", "ms": 20_000, "path": "/left", "for_s": 60}));
        let running = scope.spawn(|| wire::ask(sick.public, "GET /left", &[], ""));
        until("it runs", || {
            sick.metric("lictor_faults_injected_total{kind=\"latency\"}") == 1.0
        });
        sick.fault(json!({"kind": "down", "for_s": 60}));
        until("nobody listens", || {
            wire::ask(sick.public, "GET /ping", &[], "").is_err()
        });
        until("nobody tells its health", || {
            wire::ask(sick.ops, "GET /readyz", &[], "").is_err()
        });
        assert!(running.join().unwrap().is_err(), "what ran was cut off");
    });
    // The operator still gets through, and ends it.
    assert_eq!(sick.operate("GET /faults", &Value::Null).status, 200);
    sick.heal();
    until("it is back", || {
        wire::ask(sick.public, "GET /ping", &[], "").is_ok_and(|answer| answer.status == 200)
    });
    until("it is ready", || {
        wire::ask(sick.ops, "GET /readyz", &[], "").is_ok_and(|answer| answer.status == 200)
    });
    assert_eq!(sick.ask("PUT /notes").status, 201);
}
