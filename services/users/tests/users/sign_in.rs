//! Passwords for tokens, and the keys that prove them.

use crate::api::{Answer, Api, directory, settings, settings_with_queue};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};

const ALAN: &str = "usr_01937c6e-5a00-7000-8000-0000000000c3";

/// Checks a token as the gateway does: key by `kid`, one algorithm, issuer, audience, expiry.
pub fn claims(token: &Answer, keys: &Answer) -> Value {
    let token = token.body["access_token"].as_str().unwrap();
    let header = decode_header(token).unwrap();
    assert_eq!(header.alg, Algorithm::EdDSA);
    let keys = keys.body["keys"].as_array().unwrap();
    let key = keys
        .iter()
        .find(|key| key["kid"] == json!(header.kid))
        .unwrap();
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_issuer(&["lictor-users"]);
    validation.set_audience(&["lictor"]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    let key = DecodingKey::from_ed_components(key["x"].as_str().unwrap()).unwrap();
    decode::<Value>(token, &key, &validation).unwrap().claims
}

/// The id of the key that signed.
pub fn kid(token: &Answer) -> String {
    let token = token.body["access_token"].as_str().unwrap();
    decode_header(token).unwrap().kid.unwrap()
}

pub async fn sign_in(api: &Api, email: &str, password: &str) -> Answer {
    api.post("/auth/token", json!({"email": email, "password": password}))
        .await
}

#[actix_web::test]
async fn a_password_is_worth_a_token_that_the_published_key_proves() {
    let directory = directory();
    let api = Api::start(&directory, settings()).await;
    let token = sign_in(&api, "Alan@example.com", "alan-demo-password").await;
    assert_eq!(token.status, 200);
    assert_eq!(token.headers.get("cache-control").unwrap(), "no-store");
    assert_eq!(
        (&token.body["token_type"], &token.body["expires_in"]),
        (&json!("Bearer"), &json!(900))
    );
    let claims = claims(&token, &api.get("/auth/jwks").await);
    assert_eq!(
        (&claims["sub"], &claims["scope"]),
        (&json!(ALAN), &json!("orders:read orders:write"))
    );
    assert_eq!(
        claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(),
        900
    );
}

#[actix_web::test]
async fn a_wrong_password_an_unknown_address_and_a_user_without_password_are_answered_alike() {
    let directory = directory();
    let api = Api::start(&directory, settings()).await;
    api.post(
        "/users",
        json!({"name": "Nobody", "email": "nobody@example.com"}),
    )
    .await;
    let wrong = sign_in(&api, "ada@example.com", "alan-demo-password").await;
    let unknown = sign_in(&api, "eve@example.com", "alan-demo-password").await;
    let without = sign_in(&api, "nobody@example.com", "alan-demo-password").await;
    assert_eq!(
        (wrong.status, wrong.problem()),
        (401, ("invalid_credentials", ""))
    );
    assert!(wrong.headers.contains_key("www-authenticate"));
    assert_eq!((&unknown.body, &without.body), (&wrong.body, &wrong.body));
}

#[actix_web::test]
async fn two_instances_that_start_together_sign_with_one_key() {
    let directory = directory();
    let (one, two) = tokio::join!(
        Api::start(&directory, settings()),
        Api::start(&directory, settings())
    );
    let (keys, same) = (one.get("/auth/jwks").await, two.get("/auth/jwks").await);
    assert_eq!(keys.body, same.body);
    assert_eq!(keys.body["keys"].as_array().unwrap().len(), 1);
    let x = URL_SAFE_NO_PAD
        .decode(keys.body["keys"][0]["x"].as_str().unwrap())
        .unwrap();
    assert_eq!(x.len(), 32);

    let by_one = sign_in(&one, "ada@example.com", "ada-demo-password").await;
    let by_two = sign_in(&two, "ada@example.com", "ada-demo-password").await;
    assert_eq!(claims(&by_one, &same)["sub"], claims(&by_two, &keys)["sub"]);
    assert_eq!(
        one.get("/users/stats").await.body["total_users"],
        3,
        "seeded once"
    );
}

#[actix_web::test]
async fn a_restart_keeps_the_key() {
    let directory = directory();
    let before = Api::start(&directory, settings())
        .await
        .get("/auth/jwks")
        .await
        .body;
    let after = Api::start(&directory, settings())
        .await
        .get("/auth/jwks")
        .await
        .body;
    assert_eq!(before, after);
}

#[actix_web::test]
async fn more_sign_ins_than_one_core_can_hash_are_told_to_come_back() {
    let directory = directory();
    // Nobody waits here: of those that come together, the first has the slot.
    let api = Api::start(&directory, settings_with_queue(0)).await;
    let calls = (0..8).map(|_| sign_in(&api, "ada@example.com", "ada-demo-password"));
    let answers = futures_util::future::join_all(calls).await;
    let done = answers.iter().filter(|answer| answer.status == 200).count();
    let busy: Vec<&Answer> = answers
        .iter()
        .filter(|answer| answer.status == 503)
        .collect();
    assert_eq!(done + busy.len(), 8);
    assert!(done >= 1 && !busy.is_empty(), "{done} signed in");
    assert!(
        busy.iter()
            .all(|answer| answer.problem().0 == "sign_in_busy"
                && answer.headers.contains_key("retry-after"))
    );
}
