//! Who may: keys, scopes, and what upstream learns of who asks.

use crate::{
    rig::{DEMO, Rig, SCOPES},
    upstream::Upstream,
};

#[test]
fn a_known_key_is_let_in_and_upstream_learns_its_subject() {
    let users = Upstream::well();
    let rig = Rig::in_front_of(&users);
    let answer = rig.ask(
        "GET",
        "/api/users",
        &[
            "X-Auth-Subject: root",
            "X-Auth-Scopes: admin",
            "X-Internal-Trust: 1",
        ],
        b"",
    );
    assert_eq!(answer.status, 200);
    let seen = &users.seen()[0];
    assert_eq!(seen.headers_called("x-auth-subject"), ["demo"]);
    assert_eq!(seen.headers_called("x-auth-scopes"), [SCOPES.join(" ")]);
    assert_eq!(seen.header("x-internal-trust"), None);
    assert_eq!(seen.header("x-api-key"), None);
}

#[test]
fn nobody_else_is_and_upstream_sees_nothing_of_it() {
    let users = Upstream::well();
    let rig = Rig::in_front_of(&users);
    for (headers, status, code) in [
        (&["x-api-key"][..], 401, "credentials_missing"),
        (&["X-API-Key: demo.wrong"], 401, "credentials_wrong"),
        (
            &["X-API-Key: nobody.correct-horse"],
            401,
            "credentials_wrong",
        ),
        (&["X-API-Key: "], 401, "credentials_wrong"),
        (&["Authorization: Bearer x"], 400, "credentials_doubled"),
    ] {
        let answer = rig.ask("GET", "/api/users", headers, b"");
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, code),
            "{headers:?}"
        );
        assert_eq!(answer.header("www-authenticate").is_some(), status == 401);
        assert!(answer.header("x-request-id").is_some());
    }
    let doubled = format!("X-API-Key: {DEMO}");
    assert_eq!(
        rig.ask("GET", "/api/users", &[&doubled, &doubled], b"")
            .code(),
        "credentials_doubled"
    );
    assert_eq!(users.count(), 0);
}

#[test]
fn a_public_route_asks_for_nothing_but_takes_no_wrong_key() {
    let inventory = Upstream::well();
    let rig = Rig::in_front_of(&inventory);
    assert_eq!(
        rig.ask("GET", "/api/inventory/items", &["x-api-key"], b"")
            .status,
        200
    );
    assert_eq!(inventory.seen()[0].header("x-auth-subject"), None);
    assert_eq!(
        rig.ask(
            "GET",
            "/api/inventory/items",
            &["X-API-Key: demo.wrong"],
            b""
        )
        .status,
        401
    );
    assert_eq!(
        rig.ask("PUT", "/api/inventory/items/X", &["x-api-key"], b"{}")
            .status,
        401
    );
}

#[test]
fn a_key_without_the_scope_is_forbidden() {
    let users = Upstream::well();
    let rig = Rig::with(
        "[routes.users]\nscopes = [\"staff\"]\n",
        &[("", &[users.address])],
    );
    let answer = rig.get("/api/users");
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (403, "scope_missing")
    );
    assert_eq!(users.count(), 0);
}
