//! What the live page is made of: the memory of the last requests, and the page itself.

use std::time::Instant;

use ::upstream::Mode;
use serde_json::{Value, json};

use crate::{
    desk,
    rig::{self, Rig},
    upstream::Upstream,
};

/// What the admin listener of that gateway tells of its last requests, the newest first.
fn told(rig: &Rig) -> Vec<Value> {
    let body = look(rig, "/gateway/requests").1;
    body["requests"].as_array().unwrap().clone()
}

fn look(rig: &Rig, path: &str) -> (u16, Value) {
    let gateway = rig.gateway.clone();
    let (head, body) = actix_web::rt::System::new()
        .block_on(async { desk::ask(gateway, &desk::agent(), path).await });
    (
        head.status().as_u16(),
        serde_json::from_slice(&body).unwrap(),
    )
}

#[test]
fn a_request_is_told_with_where_it_went_and_why() {
    let shop = Upstream::well();
    let rig = Rig::in_front_of(&shop);
    assert_eq!(rig.get("/api/users").status, 200);
    let [one] = &told(&rig)[..] else {
        panic!("one request")
    };
    assert_eq!(
        (
            &one["method"],
            &one["route"],
            &one["path"],
            &one["status"],
            &one["code"]
        ),
        (
            &json!("GET"),
            &json!("users"),
            &json!("/api/users"),
            &json!(200),
            &json!(null)
        )
    );
    let [attempt] = &one["attempts"].as_array().unwrap()[..] else {
        panic!("one attempt: {one}")
    };
    let instance = format!("users-{}", shop.address.port());
    assert_eq!(
        (
            &attempt["upstream"],
            &attempt["instance"],
            &attempt["zone"],
            &attempt["reason"],
            &attempt["status"]
        ),
        (
            &json!("users"),
            &json!(instance),
            &json!("a"),
            &json!("local"),
            &json!(200)
        )
    );
}

#[test]
fn a_retry_is_told_with_what_the_attempt_before_it_met() {
    let well = Upstream::well();
    let rig = Rig::with("", &[("", &[Upstream::nobody(), well.address])]);
    for _ in 0..20 {
        assert_eq!(rig.get("/api/users").status, 200);
    }
    let told = told(&rig);
    let retried = told
        .iter()
        .find(|one| one["attempts"].as_array().unwrap().len() == 2);
    let retried = retried.unwrap_or_else(|| panic!("nobody met the dead one: {told:?}"));
    let (first, second) = (&retried["attempts"][0], &retried["attempts"][1]);
    assert_eq!(
        (&first["error"], &first["status"], &first["last"]),
        (&json!("connection_refused"), &json!(null), &json!(null))
    );
    assert_eq!(
        (&second["error"], &second["status"], &second["last"]),
        (&json!(null), &json!(200), &json!("final"))
    );
}

#[test]
fn an_attempt_after_which_there_is_none_is_told_with_the_reason() {
    let rig = Rig::with("", &[("", &[Upstream::nobody()])]);
    rig.only_observe();
    assert_eq!(rig.get("/api/users").status, 502);
    let one = &told(&rig)[0];
    let attempts = one["attempts"].as_array().unwrap();
    let last = attempts.last().unwrap();
    assert_eq!(one["code"], "upstream_unreachable");
    assert!(last["last"].is_string(), "{one}");
}

#[test]
fn refusals_and_what_stood_in_are_told_with_their_reasons() {
    let shop = Upstream::well();
    let rig = Rig::with(
        "[limits.groups]\nusers = { requests = 1, per_ms = 60000, burst = 1 }\n",
        &[("", &[shop.address])],
    );
    rig.get("/api/users");
    assert_eq!(rig.get("/api/users").status, 429);
    let refused = &told(&rig)[0];
    assert_eq!(
        (&refused["limit"], &refused["code"], &refused["attempts"]),
        (&json!("users"), &json!("rate_limited"), &json!([]))
    );

    assert_eq!(rig.get("/api/inventory/items").status, 200);
    let pool = &rig.gateway.upstreams["inventory"].pool;
    pool.set_breaker_mode(Mode::ForcedOpen, Instant::now());
    assert_eq!(rig.get("/api/inventory/items").status, 200);
    let kept = &told(&rig)[0];
    assert_eq!(
        (
            &kept["fallback"],
            &kept["code"],
            &kept["status"],
            &kept["attempts"]
        ),
        (
            &json!("cache"),
            &json!("circuit_open"),
            &json!(200),
            &json!([])
        )
    );
}

#[test]
fn nothing_that_a_client_wrote_is_remembered() {
    let rig = Rig::in_front_of(&Upstream::well());
    let headers = ["X-Request-Id: personal-1", "Cookie: session=personal-2"];
    rig.ask(
        "GET",
        "/api/users/personal-3?token=personal-4",
        &headers,
        b"",
    );
    rig.ask("PERSONAL5", "/api/users", &headers, b"");
    rig.ask("GET", "/personal-6", &headers, b"");
    let told = told(&rig);
    assert_eq!(told.len(), 3, "{told:?}");
    let text = json!(told).to_string().to_lowercase();
    for written in ["personal", rig::DEMO, "127.0.0.1"] {
        assert!(!text.contains(written), "{written}: {text}");
    }
    assert_eq!(told[1]["method"], "other");
    assert_eq!(
        (&told[0]["route"], &told[0]["code"]),
        (&json!(null), &json!("no_route"))
    );
}

#[test]
fn what_is_told_names_the_process_whose_numbers_they_are() {
    let rig = Rig::in_front_of(&Upstream::well());
    let (_, status) = look(&rig, "/gateway/status");
    let (_, requests) = look(&rig, "/gateway/requests");
    assert!(status["instance"].is_string(), "{status}");
    assert_eq!(requests["instance"], status["instance"]);
}

#[test]
fn what_is_remembered_is_bounded() {
    let rig = Rig::in_front_of(&Upstream::well());
    let mut wire = rig.connect();
    for _ in 0..250 {
        wire.send(&rig::request("GET", "/api/health", &[], b""));
        wire.answer_to("GET");
    }
    let (_, body) = look(&rig, "/gateway/requests");
    assert_eq!((&body["kept"], &body["seen"]), (&json!(200), &json!(250)));
    let requests = body["requests"].as_array().unwrap();
    assert_eq!(
        (
            requests.len(),
            &requests[0]["number"],
            &requests[199]["number"]
        ),
        (200, &json!(250), &json!(51))
    );
}

#[test]
fn the_page_may_load_and_run_nothing_but_its_own_parts() {
    let rig = Rig::in_front_of(&Upstream::well());
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
    ] {
        let gateway = rig.gateway.clone();
        let (head, body) = actix_web::rt::System::new()
            .block_on(async { desk::ask(gateway, &desk::agent(), path).await });
        let header = |name: &str| head.headers().get(name).unwrap().to_str().unwrap();
        assert_eq!(
            (head.status().as_u16(), header("content-type")),
            (200, kind)
        );
        assert_eq!(
            header("content-security-policy"),
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert!(!body.is_empty());
    }
}

#[test]
fn an_aggregate_is_told_with_the_way_of_each_branch() {
    let (users, orders) = (Upstream::well(), Upstream::well());
    let rig = Rig::with(
        "",
        &[("users", &[users.address]), ("orders", &[orders.address])],
    );
    rig.get("/api/dashboard");
    let one = &told(&rig)[0];
    let mut asked: Vec<&str> = one["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| attempt["upstream"].as_str().unwrap())
        .collect();
    asked.sort_unstable();
    assert_eq!(asked, ["orders", "users"], "{one}");
    let attempt = &one["attempts"][0];
    assert_eq!(
        (&attempt["status"], &attempt["reason"], &attempt["last"]),
        (&json!(200), &json!("local"), &json!("final"))
    );
}
