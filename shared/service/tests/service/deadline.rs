//! A service stops when the time of its caller is up: before any work, in its handler, and in its database.

use super::sick::{Sick, until};
use serde_json::json;
use sqlx::{AnyPool, Executor as _};
use std::time::Duration;

/// A caller with this much time is told well before the store's own patience (2 s) ends.
const SHORT_MS: u64 = 150;
const WELL_BEFORE: Duration = Duration::from_millis(1500);

fn out_of_time(answer: &super::wire::Answer) {
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (504, "deadline_exceeded"),
        "{}",
        answer.body
    );
    assert!(answer.took < WELL_BEFORE, "{:?}", answer.took);
}

#[test]
fn the_time_that_is_left_strictly_shrinks_hop_by_hop() {
    let sick = Sick::start();
    let mut left = 1000;
    for hop in 1..=20 {
        let next = sick.ask_with("GET /left", left).json().as_u64().unwrap();
        assert!(next < left, "hop {hop}: {next} of {left}");
        left = next;
    }
    assert!(
        sick.ask_with("GET /left", 1).status == 504
            || sick.ask_with("GET /left", 1).json().is_null()
    );
}

#[test]
fn with_no_time_left_nothing_is_done() {
    let sick = Sick::start();
    for line in ["POST /notes", "PUT /notes"] {
        out_of_time(&sick.ask_with(line, 0));
    }
    assert_eq!(sick.ask("GET /notes").body, "0");
}

#[test]
fn a_slow_database_does_not_hold_a_caller_beyond_its_time_and_nothing_is_written_late() {
    let sick = Sick::start();
    sick.fault(json!({"kind": "database", "ms": 600, "for_s": 60}));
    for line in ["POST /notes", "PUT /notes", "GET /notes"] {
        out_of_time(&sick.ask_with(line, SHORT_MS));
    }
    // A writer who has the time comes after them, and waits for the database as long as they would have:
    // when it is through, whatever they left would be through too.
    assert_eq!(sick.ask("POST /notes").status, 201);
    sick.heal();
    assert_eq!(sick.ask("GET /notes").body, "1");
}

#[test]
fn waiting_for_the_writers_turn_ends_with_the_callers_time() {
    let sick = Sick::start();
    sick.fault(json!({"kind": "database", "ms": 1800, "for_s": 60}));
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| sick.ask("POST /notes"));
        until("the first has its turn", || {
            sick.metric("lictor_faults_injected_total{kind=\"database\"}") == 1.0
        });
        out_of_time(&sick.ask_with("POST /notes", SHORT_MS));
        assert_eq!(slow.join().unwrap().status, 201);
    });
    sick.heal();
    assert_eq!(sick.ask("GET /notes").body, "1");
}

#[test]
fn waiting_for_a_connection_ends_with_the_callers_time() {
    let sick = Sick::start();
    sick.fault(json!({"kind": "connections", "for_s": 60}));
    until("no connection is left", || {
        sick.ask_with("GET /notes", SHORT_MS).status == 504
    });
    out_of_time(&sick.ask_with("PUT /notes", SHORT_MS));
}

#[actix_web::test]
async fn a_lock_that_another_process_holds_keeps_no_connection_busy_after_the_callers_time() {
    sqlx::any::install_default_drivers();
    // Each way to write on a process of its own: a connection remembers how long it was told to wait.
    for line in ["POST /notes", "PUT /notes"] {
        let sick = Sick::start_with(&[("STORE__CONNECTIONS", "1"), ("STORE__WAIT_MS", "10000")]);
        let file = sick.directory.path().join("sick.db");
        let pool = AnyPool::connect(&format!("sqlite://{}", file.display()))
            .await
            .unwrap();
        let mut other = pool.acquire().await.unwrap();
        other.execute("BEGIN IMMEDIATE").await.unwrap();
        out_of_time(&sick.ask_with(line, SHORT_MS));
        // The only connection is free again: a reader needs no lock.
        let read = sick.ask_with("GET /notes", 1000);
        assert_eq!(
            (read.status, read.body.as_str()),
            (200, "0"),
            "after {line}"
        );
        other.execute("ROLLBACK").await.unwrap();
        assert_eq!(sick.ask(line).status, 201);
    }
}
