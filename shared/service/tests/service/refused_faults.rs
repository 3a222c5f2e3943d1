//! Faults that are not accepted, and why.

use super::sick::Sick;
use super::wire;
use serde_json::{Value, json};

#[test]
fn nothing_can_be_broken_where_faults_are_not_enabled() {
    let well = Sick::start_with(&[]);
    let answer = well.operate("POST /faults", &json!({"kind": "error", "for_s": 30}));
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (403, "faults_disabled")
    );
    assert_eq!(well.ask("GET /ping").status, 200);
    assert_eq!(
        well.operate("GET /faults", &Value::Null).json(),
        json!({"enabled": false, "items": []})
    );
}

#[test]
fn whoever_has_no_token_can_look_but_not_break() {
    let sick = Sick::start();
    let fault = json!({"kind": "error", "for_s": 30}).to_string();
    for line in ["POST /faults", "DELETE /faults", "DELETE /faults/1"] {
        let answer = wire::ask(sick.admin, line, &[], &fault).unwrap();
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (401, "admin_token_required"),
            "{line}"
        );
    }
    assert_eq!(
        wire::ask(sick.admin, "GET /faults", &[], "")
            .unwrap()
            .json()["items"],
        json!([])
    );
}

#[test]
fn a_bad_fault_is_told_by_field_and_value() {
    let sick = Sick::start();
    for (fault, field, value) in [
        (
            json!({"kind": "error", "percent": 140, "for_s": 30}),
            "percent",
            "140",
        ),
        (json!({"kind": "latency", "ms": 5}), "for_s", "(missing)"),
        (json!({"kind": "down", "for_s": 86_400}), "for_s", "86400"),
        (json!({"kind": "melt", "for_s": 30}), "kind", "melt"),
    ] {
        let answer = sick.operate("POST /faults", &fault);
        let problem = answer.json();
        assert_eq!(
            (answer.status, &problem["field"]),
            (400, &json!(field)),
            "{problem}"
        );
        assert!(
            problem["detail"].as_str().unwrap().contains(value),
            "{problem}"
        );
    }
    assert_eq!(
        sick.operate("GET /faults", &Value::Null).json()["items"],
        json!([])
    );
}

#[test]
fn the_thirty_third_fault_is_one_too_many() {
    let sick = Sick::start();
    let fault = json!({"kind": "latency", "ms": 1, "for_s": 30});
    for _ in 0..32 {
        sick.fault(fault.clone());
    }
    assert_eq!(
        sick.operate("POST /faults", &fault).code(),
        "too_many_faults"
    );
    assert_eq!(
        sick.operate("DELETE /faults", &Value::Null).json()["cleared"],
        32
    );
}
