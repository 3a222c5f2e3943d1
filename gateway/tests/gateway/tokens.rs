//! Tokens at the door: each refusal by its name, and what upstream learns of a good one.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{
    issuer::{Publisher, Signer, claims, now},
    rig::{DEMO, KEYS, Rig},
    upstream::Upstream,
    wire::{Answer, eventually},
};

/// A gateway that knows one key, in front of one upstream.
struct Scene {
    signer: Signer,
    publisher: Publisher,
    shop: Upstream,
    rig: Rig,
}

impl Scene {
    fn new() -> Self {
        let signer = Signer::new("first");
        let publisher = Publisher::of(&[&signer]);
        let shop = Upstream::well();
        let rig = rig(&publisher, &shop, "");
        Self {
            signer,
            publisher,
            shop,
            rig,
        }
    }

    fn with_head(&self, change: Value) -> String {
        self.signer
            .sign(&changed(self.signer.head(), change), &claims("ada"))
    }

    fn with_claims(&self, change: Value) -> String {
        self.signer
            .sign(&self.signer.head(), &changed(claims("ada"), change))
    }
}

/// Waits until the keys are known, so that a test begins with a warm gateway.
pub fn rig(publisher: &Publisher, shop: &Upstream, toml: &str) -> Rig {
    let toml = format!("[tokens]\nupstream = \"{KEYS}\"\n{toml}");
    let upstreams = [
        (KEYS, &[publisher.upstream.address][..]),
        ("", &[shop.address]),
    ];
    let rig = Rig::with(&toml, &upstreams);
    eventually(
        || rig.metric("lictor_keyset_keys", &[]),
        |keys| *keys >= 1.0,
    );
    rig
}

/// `null` takes a member away.
fn changed(mut document: Value, change: Value) -> Value {
    for (name, value) in change.as_object().unwrap() {
        match value {
            Value::Null => drop(document.as_object_mut().unwrap().remove(name)),
            value => document[name] = value.clone(),
        }
    }
    document
}

pub fn ask(rig: &Rig, path: &str, token: &str) -> Answer {
    let authorization = format!("Authorization: Bearer {token}");
    rig.ask("GET", path, &["x-api-key", &authorization], b"")
}

#[test]
fn a_good_token_is_let_in_and_upstream_learns_its_subject_and_scopes_and_never_the_token() {
    let scene = Scene::new();
    let answer = ask(&scene.rig, "/api/orders", &scene.signer.token("usr_ada"));
    assert_eq!(answer.status, 200, "{answer:?}");
    let seen = &scene.shop.seen()[0];
    assert_eq!(seen.headers_called("x-auth-subject"), ["usr_ada"]);
    assert_eq!(
        seen.headers_called("x-auth-scopes"),
        ["orders:read orders:write"]
    );
    assert_eq!(seen.header("authorization"), None);
    let granted = [("decision", "granted")];
    assert_eq!(
        scene.rig.metric("lictor_auth_decisions_total", &granted),
        1.0
    );
}

#[test]
fn each_refusal_has_its_name() {
    let scene = Scene::new();
    let good = scene.signer.token("ada");
    let stranger = Signer::new("stranger");
    let impostor = stranger.sign(&scene.signer.head(), &claims("ada"));
    let (head, rest) = good.split_once('.').unwrap();
    let unsigned = format!("{}.", good.rsplit_once('.').unwrap().0);
    let none = changed(scene.signer.head(), json!({"alg": "none"}));
    let none = scene.signer.sign(&none, &claims("ada"));
    let none = format!("{}.", none.rsplit_once('.').unwrap().0);
    // HMAC with the public key as its secret: what verifies it must not ask the token how.
    let hmac = scene.with_head(json!({"alg": "HS256"}));
    let other_claims = scene.signer.token("root");
    let swapped = format!(
        "{}.{}",
        other_claims.rsplit_once('.').unwrap().0,
        good.rsplit_once('.').unwrap().1
    );
    let twice = |text: &str| text.replacen('{', "{\"kid\":\"first\",", 1);
    let doubled_head = scene.signer.sign_text(
        &twice(&scene.signer.head().to_string()),
        &claims("ada").to_string(),
    );
    let doubled_claim = scene.signer.sign_text(
        &scene.signer.head().to_string(),
        &claims("ada").to_string().replacen('{', "{\"exp\":1,", 1),
    );
    let array = scene.signer.sign_text("[]", "[]");
    let padded = format!("{good}=");
    let spaced = good.replacen('.', ". ", 1);
    let standard = format!("{head}.+/{rest}");
    let with = |name: &str, value: Value| scene.with_claims(json!({ name: value }));
    let head_with = |name: &str, value: Value| scene.with_head(json!({ name: value }));
    let table = [
        ("token_malformed", String::new()),
        ("token_malformed", "x".into()),
        ("token_malformed", "a.b".into()),
        ("token_malformed", "a.b.c".into()),
        ("token_malformed", format!("{good}.x")),
        ("token_malformed", format!("{good} {good}")),
        ("token_malformed", padded),
        ("token_bad_signature", spaced),
        ("token_bad_signature", standard),
        ("token_malformed", array),
        ("token_malformed", doubled_head),
        ("token_malformed", head_with("alg", Value::Null)),
        ("token_malformed", head_with("kid", json!(1))),
        ("token_too_long", with("scope", json!("a".repeat(4096)))),
        ("token_wrong_type", head_with("typ", json!("logout+jwt"))),
        ("token_wrong_algorithm", none),
        ("token_wrong_algorithm", hmac),
        ("token_wrong_algorithm", head_with("alg", json!("eddsa"))),
        ("token_wrong_algorithm", head_with("alg", json!("ES256"))),
        ("token_brings_key", head_with("jwk", stranger.jwk())),
        ("token_brings_key", head_with("jku", json!("http://evil"))),
        ("token_brings_key", head_with("x5u", json!("http://evil"))),
        ("token_brings_key", head_with("x5c", json!(["MII"]))),
        ("token_critical_header", head_with("crit", json!(["b64"]))),
        ("token_no_key_id", head_with("kid", Value::Null)),
        ("token_unknown_key", stranger.token("ada")),
        ("token_unknown_key", head_with("kid", json!(""))),
        ("token_unknown_key", head_with("kid", json!("../../first"))),
        (
            "token_unknown_key",
            head_with("kid", json!("k".repeat(129))),
        ),
        ("token_bad_signature", unsigned),
        ("token_bad_signature", impostor),
        ("token_bad_signature", swapped),
        ("token_bad_claims", doubled_claim),
        ("token_bad_claims", with("exp", Value::Null)),
        ("token_bad_claims", with("exp", json!("never"))),
        ("token_bad_claims", with("iss", Value::Null)),
        ("token_bad_claims", with("aud", Value::Null)),
        ("token_bad_claims", with("sub", Value::Null)),
        (
            "token_bad_claims",
            with("sub", json!("a\r\nX-Auth-Scopes: all")),
        ),
        ("token_bad_claims", with("nbf", json!("soon"))),
        ("token_expired", with("exp", json!(now() - 30))),
        ("token_not_yet_valid", with("nbf", json!(now() + 300))),
        ("token_wrong_issuer", with("iss", json!("lictor-user"))),
        ("token_wrong_audience", with("aud", json!(["others"]))),
    ];
    for (code, token) in &table {
        let answer = ask(&scene.rig, "/api/orders", token);
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (401, *code),
            "{token}"
        );
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(
            challenge.starts_with("Bearer realm=\"lictor\", error=\"invalid_token\""),
            "{challenge}"
        );
        assert!(answer.header("x-request-id").is_some());
    }
    assert_eq!(scene.shop.count(), 0, "upstream saw none of them");
    let counted: f64 = table
        .iter()
        .map(|(code, _)| *code)
        .collect::<std::collections::BTreeSet<_>>()
        .iter()
        .map(|code| {
            let label = [("decision", *code)];
            scene.rig.metric("lictor_auth_decisions_total", &label)
        })
        .sum();
    assert_eq!(counted, table.len() as f64, "each is counted by its reason");
    assert_eq!(ask(&scene.rig, "/api/orders", &good).status, 200);
    println!("{} bad tokens refused, each by its name", table.len());
}

#[test]
fn a_token_near_its_edges_is_taken() {
    let scene = Scene::new();
    for token in [
        scene.with_claims(json!({"exp": now() - 10})),
        scene.with_claims(json!({"nbf": now() + 10})),
        scene.with_claims(json!({"aud": ["others", "lictor"]})),
        scene.with_head(json!({"typ": Value::Null})),
        scene.with_head(json!({"typ": "at+JWT", "unknown": {"is": "ignored"}})),
    ] {
        assert_eq!(ask(&scene.rig, "/api/orders", &token).status, 200);
    }
}

#[test]
fn a_key_and_a_token_together_are_one_too_many() {
    let scene = Scene::new();
    let token = format!("Authorization: Bearer {}", scene.signer.token("ada"));
    let key = format!("X-API-Key: {DEMO}");
    for sent in [
        &[key.as_str(), token.as_str()][..],
        &["x-api-key", &token, &token],
    ] {
        let answer = scene.rig.ask("GET", "/api/orders", sent, b"");
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "credentials_doubled")
        );
    }
}

#[test]
fn a_token_without_the_scope_is_forbidden_and_told_which() {
    let scene = Scene::new();
    let token = scene.signer.token("ada");
    for (method, path, scope) in [
        ("GET", "/api/users", "users:read"),
        ("POST", "/api/users", "users:write"),
        ("PUT", "/api/orders/ord_1/status", "orders:manage"),
        ("POST", "/api/payments/pay_1/refund", "payments:refund"),
        ("PUT", "/api/inventory/items/LAMP", "inventory:write"),
        ("GET", "/api/dashboard", "reports:read"),
        ("GET", "/api/users/usr_1/profile", "users:read orders:read"),
    ] {
        let authorization = format!("Authorization: Bearer {token}");
        let answer = scene
            .rig
            .ask(method, path, &["x-api-key", &authorization], b"");
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (403, "scope_missing"),
            "{path}"
        );
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.contains("insufficient_scope"), "{challenge}");
        assert!(
            challenge.contains(&format!("scope=\"{scope}\"")),
            "{challenge}"
        );
    }
    assert_eq!(scene.shop.count(), 0);
}

#[test]
fn a_route_for_keys_takes_no_token_and_says_so() {
    let scene = Scene::new();
    let token = format!("Authorization: Bearer {}", scene.signer.token("ada"));
    let answer = scene
        .rig
        .ask("POST", "/api/payments", &["x-api-key", &token], b"{}");
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (401, "credentials_wrong_kind")
    );
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(challenge.starts_with("ApiKey"), "{challenge}");
}

#[test]
fn the_limit_is_the_subjects_whichever_token_it_brings() {
    let scene = Scene::new();
    let admitted = |subject: &str, tries: u64| {
        let one = |number| {
            let token = scene.with_claims(json!({"sub": subject, "iat": number}));
            ask(&scene.rig, "/api/orders", &token).status == 200
        };
        (0..tries).filter(|number| one(*number)).count()
    };
    // One cell comes back every 1.2 s.
    assert!((50..=54).contains(&admitted("ada", 60)));
    assert_eq!(admitted("grace", 3), 3);
}

#[test]
fn a_public_route_takes_no_bad_token() {
    let scene = Scene::new();
    let path = "/api/inventory/items";
    assert_eq!(
        ask(&scene.rig, path, &scene.signer.token("ada")).status,
        200
    );
    assert_eq!(scene.shop.seen()[0].header("x-auth-subject"), Some("ada"));
    assert_eq!(ask(&scene.rig, path, "a.b.c").code(), "token_malformed");
    let basic = ["x-api-key", "Authorization: Basic YTpi"];
    let answer = scene.rig.ask("GET", path, &basic, b"");
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (401, "credentials_unsupported")
    );
}

#[test]
fn what_a_token_says_is_never_believed_before_its_signature() {
    let scene = Scene::new();
    let asked = scene.publisher.asked();
    // Bad in every way: the form decides first, then the key, then the signature, then the claims.
    let head = URL_SAFE_NO_PAD.encode(scene.signer.head().to_string());
    let expired = URL_SAFE_NO_PAD.encode(changed(claims("ada"), json!({"exp": 1})).to_string());
    let forged = format!("{head}.{expired}.{}", URL_SAFE_NO_PAD.encode([0; 64]));
    assert_eq!(
        ask(&scene.rig, "/api/orders", &forged).code(),
        "token_bad_signature"
    );
    assert_eq!(scene.publisher.asked(), asked);
}
