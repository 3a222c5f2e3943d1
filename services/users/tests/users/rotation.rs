//! A new signing key while people sign in: published first, used later, and no token is lost on the way.

use crate::api::{Api, directory, settings};
use crate::sign_in::{claims, kid, sign_in};
use serde_json::Value;
use std::time::{Duration, Instant};

/// One second ahead in the tests' settings, one in which an instance may not have looked.
const SOON: Duration = Duration::from_secs(10);

fn published(keys: &Value) -> Vec<&str> {
    let keys = keys["keys"].as_array().unwrap();
    keys.iter()
        .map(|key| key["kid"].as_str().unwrap())
        .collect()
}

#[actix_web::test]
async fn every_instance_publishes_a_new_key_at_once_and_signs_with_it_later() {
    let directory = directory();
    let one = Api::start(&directory, settings()).await;
    let two = Api::start(&directory, settings()).await;
    let before = sign_in(&two, "alan@example.com", "alan-demo-password").await;
    let old = kid(&before);

    let made = serde_json::to_value(one.rotate().await.unwrap()).unwrap();
    let new = made["kid"].as_str().unwrap();
    assert_eq!(made["state"], "waiting");
    for instance in [&one, &two] {
        let keys = instance.get("/auth/jwks").await.body;
        assert_eq!(published(&keys), [new, &old], "published before it is used");
    }
    let waiting = sign_in(&two, "alan@example.com", "alan-demo-password").await;
    assert_eq!(kid(&waiting), old, "and not used yet");

    let begin = Instant::now();
    let mut tokens = vec![before, waiting];
    for instance in [&one, &two] {
        loop {
            let token = sign_in(instance, "alan@example.com", "alan-demo-password").await;
            let signed_by = kid(&token);
            tokens.push(token);
            if signed_by == new {
                break;
            }
            assert!(begin.elapsed() < SOON, "still signing with the old key");
        }
    }
    let keys = two.get("/auth/jwks").await;
    for token in &tokens {
        assert_eq!(claims(token, &keys)["iss"], "lictor-users");
    }
}

#[actix_web::test]
async fn more_keys_than_tokens_can_need_are_refused() {
    let directory = directory();
    let api = Api::start(&directory, settings()).await;
    let mut made = 1;
    let refused = loop {
        match api.rotate().await {
            Ok(_) => made += 1,
            Err(refused) => break refused,
        }
    };
    assert_eq!((made, refused.status()), (16, 409));
    let keys = api.get("/auth/jwks").await.body;
    assert_eq!(published(&keys).len(), 16);
}

#[actix_web::test]
async fn instances_that_rotate_together_lose_no_key() {
    let directory = directory();
    let one = Api::start(&directory, settings()).await;
    let two = Api::start(&directory, settings()).await;
    let (first, second) = futures_util::future::join(one.rotate(), two.rotate()).await;
    let made = [first, second].into_iter().filter(Result::is_ok).count();
    let keys = one.get("/auth/jwks").await.body;
    assert_eq!(published(&keys).len(), 1 + made);
    assert!(made >= 1);
}
