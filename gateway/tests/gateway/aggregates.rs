//! Answers put together by the gateway, whole and with a branch dead.

use serde_json::{Value, json};

use crate::{
    rig::Rig,
    upstream::{Then, Upstream, ok},
};

fn users() -> Upstream {
    Upstream::playing(|turn| {
        let answer = match turn.seen.line.split(' ').nth(1).unwrap() {
            "/users/usr_7" => ok("{\"id\":\"usr_7\",\"name\":\"Ada\"}"),
            "/users/stats" => ok("{\"total_users\":3,\"by_role\":{}}"),
            _ => {
                let body = "{\"type\":\"urn:lictor:problem:not_found\",\"title\":\"Not Found\",\"status\":404,\"code\":\"not_found\",\"detail\":\"there is no user usr_8\"}";
                format!(
                    "HTTP/1.1 404 Not Found\r\nContent-Type: application/problem+json\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                )
            }
        };
        turn.write(answer.as_bytes());
        Then::Keep
    })
}

fn orders() -> Upstream {
    Upstream::playing(|turn| {
        let answer = match turn.seen.line.split(' ').nth(1).unwrap() {
            "/orders/stats" => ok(
                "{\"total_orders\":5,\"pending_orders\":1,\"completed_orders\":2,\"total_revenue_cents\":9900}",
            ),
            _ => ok("{\"items\":[{\"id\":\"ord_1\"}],\"total\":1}"),
        };
        turn.write(answer.as_bytes());
        Then::Keep
    })
}

/// The answer to `path` with these instances of users and orders.
fn ask(
    path: &str,
    users: Option<&Upstream>,
    orders: Option<&Upstream>,
) -> (u16, Option<String>, Value) {
    let of = |upstream: Option<&Upstream>| {
        vec![upstream.map_or_else(Upstream::nobody, |upstream| upstream.address)]
    };
    let rig = Rig::with(
        "",
        &[("users", &of(users)), ("orders", &of(orders)), ("", &[])],
    );
    let answer = rig.get(path);
    (
        answer.status,
        answer.header("x-gateway-complete").map(str::to_owned),
        answer.json(),
    )
}

#[test]
fn a_profile_is_a_user_and_their_orders() {
    let (users, orders) = (users(), orders());
    let (status, complete, profile) = ask("/api/users/usr_7/profile", Some(&users), Some(&orders));
    assert_eq!((status, complete.as_deref()), (200, Some("true")));
    assert_eq!(
        profile,
        json!({ "user": { "id": "usr_7", "name": "Ada" }, "orders": [{ "id": "ord_1" }], "total_orders": 1, "partial": false, "missing": [] })
    );
    let seen = &orders.seen()[0];
    assert_eq!(seen.line, "GET /orders/user/usr_7 HTTP/1.1");
    assert_eq!(seen.header("x-auth-subject"), Some("demo"));
    let left: u64 = seen
        .header("x-request-timeout-ms")
        .unwrap()
        .parse()
        .unwrap();
    assert!(left < 1500, "{left}");
}

#[test]
fn each_aggregate_with_a_branch_dead_says_what_is_missing() {
    let (users, orders) = (users(), orders());
    for (path, users, orders, missing, part) in [
        (
            "/api/users/usr_7/profile",
            Some(&users),
            None,
            "orders",
            "user",
        ),
        (
            "/api/users/usr_7/profile",
            None,
            Some(&orders),
            "user",
            "orders",
        ),
        (
            "/api/dashboard",
            Some(&users),
            None,
            "orders",
            "total_users",
        ),
        (
            "/api/dashboard",
            None,
            Some(&orders),
            "users",
            "total_revenue",
        ),
    ] {
        let (status, complete, body) = ask(path, users, orders);
        assert_eq!(
            (status, complete.as_deref()),
            (200, Some("false")),
            "{path}: {body}"
        );
        assert_eq!(
            (&body["partial"], &body["missing"]),
            (&json!(true), &json!([missing])),
            "{path}"
        );
        assert!(!body[part].is_null(), "{path}: {body}");
    }
}

#[test]
fn a_profile_of_nobody_is_404_and_of_nothing_is_unavailable() {
    let (users, orders) = (users(), orders());
    let (status, _, problem) = ask("/api/users/usr_8/profile", Some(&users), Some(&orders));
    assert_eq!((status, &problem["code"]), (404, &json!("not_found")));
    let (status, _, problem) = ask("/api/users/stats/profile", Some(&users), Some(&orders));
    assert_eq!((status, &problem["code"]), (404, &json!("not_found")));
    let (status, _, problem) = ask("/api/users/usr_7/profile", None, None);
    assert!(matches!(status, 502 | 503), "{problem}");
}

#[test]
fn a_dashboard_sums_up_the_shop() {
    let (users, orders) = (users(), orders());
    let (status, complete, dashboard) = ask("/api/dashboard", Some(&users), Some(&orders));
    assert_eq!((status, complete.as_deref()), (200, Some("true")));
    assert_eq!(
        dashboard,
        json!({ "total_users": 3, "total_orders": 5, "pending_orders": 1, "completed_orders": 2, "total_revenue": 9900, "partial": false, "missing": [] })
    );
}

#[test]
fn health_is_told_from_the_gateways_own_view() {
    let (users, orders) = (users(), orders());
    let rig = Rig::with(
        "",
        &[
            ("users", &[users.address]),
            ("orders", &[]),
            ("", &[orders.address]),
        ],
    );
    let all = rig.ask("GET", "/api/health", &["x-api-key"], b"");
    assert_eq!(
        (all.status, all.header("x-gateway-complete")),
        (200, Some("false"))
    );
    let body = all.json();
    assert_eq!(
        (&body["status"], &body["missing"]),
        (&json!("degraded"), &json!(["orders"]))
    );
    assert_eq!(body["services"]["users"]["status"], "healthy");
    let one = rig.ask("GET", "/api/users/health", &["x-api-key"], b"");
    assert_eq!(
        (one.status, one.json()["zones"].clone()),
        (200, json!({ "a": 1 }))
    );
    assert_eq!(rig.get("/api/orders/health").status, 503);
    let unknown = rig.get("/api/nothing/health");
    assert_eq!((unknown.status, unknown.code().as_str()), (404, "no_route"));
    assert_eq!(users.count() + orders.count(), 0, "nobody was asked");
}
