//! Tokens on the real system: people sign in and order, keys rotate under load, and users may be dead.

use std::time::{Duration, Instant};

use hyper::Method;
use serde_json::{Value, json};
use stack::{Answer, Builder, Client, Journey, Load, Plan, Report, Step, wait};

use super::system::{System, ok};

/// Requests a second, of each of two people.
const RATE: f64 = 50.0;

/// How long users are dead: a minute where there is time (`E2E_LONG=1`).
fn dead() -> Duration {
    let long = std::env::var_os("E2E_LONG").is_some();
    Duration::from_secs(if long { 60 } else { 12 })
}

/// Nothing is published for longer than this before it signs, here.
const AHEAD_S: u64 = 4;
/// Rotations under load.
const ROTATIONS: usize = 2;
/// A rotation, and the sign-ins after it.
const ROTATED: Duration = Duration::from_secs(20);

/// The shipped proportion of asking and publishing ahead, eighty times as fast; limits that no load here reaches.
fn wishes(builder: Builder) -> Builder {
    let mut builder = builder
        .set_for("users", "LICTOR_KEYS__PUBLISH_AHEAD_S", AHEAD_S.to_string())
        .set_for("gateway", "LICTOR_TOKENS__REFRESH_MS", "3000")
        .set_for("gateway", "LICTOR_TOKENS__LEAST_REFRESH_MS", "1000");
    for group in ["USERS", "ORDERS", "BROWSE", "SIGN_IN"] {
        for key in ["REQUESTS", "BURST"] {
            let key = format!("LICTOR_LIMITS__GROUPS__{group}__{key}");
            builder = builder.set_for("gateway", key, "1000000");
        }
    }
    builder
}

/// A token of one of the demo users.
async fn sign_in(system: &System, name: &str) -> String {
    let answer = ok(Ok(try_to_sign_in(system, name).await));
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

async fn try_to_sign_in(system: &System, name: &str) -> Answer {
    let stranger = Client::new(system.gateway().addresses.public);
    let who = json!({
        "email": format!("{name}@example.com"),
        "password": format!("{name}-demo-password"),
    });
    stranger.post("/api/auth/token", &who).await.unwrap()
}

/// The head of a token: another one means another key.
fn head(token: &str) -> &str {
    token.split('.').next().unwrap()
}

/// What a person with a token looks at; nothing of it needs users when `alone`.
fn journey(user: &str, alone: bool) -> Journey {
    let mut steps = vec![
        Step::get("orders", "/api/orders?limit=5"),
        Step::get("theirs", format!("/api/orders/user/{user}")),
        Step::get("recommended", format!("/api/recommendations/{user}")),
        Step::get("browse", "/api/inventory/items"),
    ];
    if !alone {
        steps.push(Step::get("people", "/api/users?limit=5"));
        steps.push(Step::get("profile", format!("/api/users/{user}/profile")));
    }
    Journey::of(steps)
}

async fn load(system: &System, token: &str, alone: bool, duration: Duration) -> Load {
    let client = Client::new(system.gateway().addresses.public).with_token(token);
    let user = system.ids("/api/users?limit=1", "id").await.remove(0);
    let plan = Plan {
        rate: RATE,
        duration,
    };
    Load::start(plan, client, journey(&user, alone))
}

async fn rotate(system: &System, instance: &str) -> Value {
    let admin = Client::new(system.instance(instance).unwrap().addresses.admin)
        .with_token(&system.keys().admin_token);
    ok(admin.post("/signing-keys", &json!({})).await).json()
}

async fn order(system: &System, token: &str, key: &str) -> Answer {
    let client = Client::new(system.gateway().addresses.public).with_token(token);
    let headers = [("idempotency-key", key)];
    let body = system.order().await;
    let limit = Duration::from_secs(10);
    ok(client
        .call(Method::POST, "/api/orders", Some(&body), &headers, limit)
        .await)
}

#[tokio::test(flavor = "multi_thread")]
async fn people_sign_in_and_order_and_an_idempotency_key_is_their_own() {
    let system = System::start("tokens-orders").await;
    let (ada, alan) = (
        sign_in(&system, "ada").await,
        sign_in(&system, "alan").await,
    );
    let first = order(&system, &ada, "mine").await;
    let again = order(&system, &ada, "mine").await;
    let other = order(&system, &alan, "mine").await;
    assert_eq!(first.json()["id"], again.json()["id"]);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_ne!(first.json()["id"], other.json()["id"]);

    let at = system.gateway().addresses.public;
    for (who, method, path, status) in [
        (&ada, Method::GET, "/api/users", 200),
        (&alan, Method::GET, "/api/users", 403),
        (&alan, Method::GET, "/api/orders", 200),
        (&alan, Method::POST, "/api/payments/pay_1/refund", 403),
        (&ada, Method::POST, "/api/payments", 401),
    ] {
        let client = Client::new(at).with_token(who);
        let answer = client
            .call(method, path, None, &[], Duration::from_secs(10))
            .await
            .unwrap();
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
    }
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_rotate_under_load_and_no_token_is_refused() {
    let system = System::with("tokens-rotation", wishes).await;
    let mut current = sign_in(&system, "ada").await;
    let whole = ROTATED * (u32::try_from(ROTATIONS).unwrap() + 1);
    let mut loads = vec![load(&system, &current, false, whole).await];
    let mut sign_ins = 1;
    for instance in ["users-a1", "users-b1"] {
        // Before the key is made: a busy machine may only add to the time until it signs.
        let begin = Instant::now();
        let made = rotate(&system, instance).await;
        assert_eq!(made["state"], "waiting", "{made}");
        let new = loop {
            let token = sign_in(&system, "ada").await;
            sign_ins += 1;
            // Used the moment it is there, whoever signed it.
            let client = Client::new(system.gateway().addresses.public).with_token(&token);
            ok(client.get("/api/orders?limit=1").await);
            if head(&token) != head(&current) {
                break token;
            }
            assert!(begin.elapsed() < ROTATED, "the new key never signed");
        };
        assert!(
            begin.elapsed() >= Duration::from_secs(AHEAD_S - 1),
            "published before it signs: {:?}",
            begin.elapsed()
        );
        loads.push(load(&system, &new, false, whole).await);
        current = new;
    }
    let (mut requests, mut errors, mut reports) = (0, 0, String::new());
    tokio::time::sleep(Duration::from_secs(3)).await;
    for load in loads {
        let report: Report = load.end().await;
        requests += report.requests;
        errors += report.errors;
        reports += &report.to_string();
    }
    println!(
        "{ROTATIONS} rotations under load: {requests} requests with tokens of {} keys, {sign_ins} sign-ins, {errors} errors",
        ROTATIONS + 1
    );
    assert_eq!(errors, 0, "{reports}");
    assert!(requests > 500, "{reports}");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_verified_while_users_is_dead() {
    let system = System::with("tokens-dead", wishes).await;
    let token = sign_in(&system, "ada").await;
    let dead = dead();
    let load = load(&system, &token, true, dead + Duration::from_secs(4)).await;
    for instance in ["users-a1", "users-b1"] {
        system.kill(instance).await.unwrap();
    }
    load.mark("users is dead");
    tokio::time::sleep(dead).await;
    let ops = Client::new(system.gateway().addresses.ops);
    let metrics = ok(ops.get("/metrics").await).text();
    let value = |name: &str| -> f64 {
        let line = metrics.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
            .unwrap_or(0.0)
    };
    let failed = value("lictor_keyset_refreshes_total{result=\"unreachable\"}");
    let age = value("lictor_keyset_age_seconds");
    for zone in ["a", "b"] {
        system.zone_up(zone).await.unwrap();
    }
    load.mark("users is back");
    let report = load.finish().await;
    println!(
        "users dead for {} s: {} requests with a token, {} errors; {failed} refreshes failed, keys {age:.0} s old",
        dead.as_secs(),
        report.requests,
        report.errors
    );
    assert_eq!(report.errors, 0, "{report}");
    assert!(failed >= 2.0, "{failed} refreshes were tried: {metrics}");
    assert!(age >= dead.as_secs_f64() - 4.0, "{age}");
    // The breaker of users opens for longer each time that it was tried in vain.
    let back = wait::until("a sign-in", Duration::from_secs(90), || async {
        let answer = try_to_sign_in(&system, "ada").await;
        if answer.status == 200 {
            Ok(())
        } else {
            Err(answer.text())
        }
    });
    back.await.unwrap();
    system.stop().await;
}
