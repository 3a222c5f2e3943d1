//! A new signing key while people sign in: published first, used later, and no token is lost on the way.

use crate::api::{Answer, Api, directory, settings, settings_publishing_ahead};
use crate::sign_in::{claims, kid, sign_in};
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};

/// Several sign-ins long, also on a machine that does other things too.
const AHEAD_S: u32 = 3;
/// An instance looks at its keys once a second.
const LOOKS_AGAIN_MS: i64 = 1_000;

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

/// A token, with the moments between which it was signed.
struct Signed {
    after_ms: i64,
    before_ms: i64,
    token: Answer,
}

async fn signed(api: &Api) -> Signed {
    let after_ms = now_ms();
    let token = sign_in(api, "alan@example.com", "alan-demo-password").await;
    Signed {
        after_ms,
        before_ms: now_ms(),
        token,
    }
}

fn published(keys: &Value) -> Vec<&str> {
    let keys = keys["keys"].as_array().unwrap();
    keys.iter()
        .map(|key| key["kid"].as_str().unwrap())
        .collect()
}

#[actix_web::test]
async fn every_instance_publishes_a_new_key_at_once_and_signs_with_it_later() {
    let directory = directory();
    let one = Api::start(&directory, settings_publishing_ahead(AHEAD_S)).await;
    let two = Api::start(&directory, settings_publishing_ahead(AHEAD_S)).await;
    let mut all = vec![signed(&two).await];
    let old = kid(&all[0].token);

    let made = serde_json::to_value(one.rotate().await.unwrap()).unwrap();
    let new = made["kid"].as_str().unwrap();
    let signs_from_ms = made["signs_from_ms"].as_i64().unwrap();
    assert_eq!(made["state"], "waiting");
    let ahead_ms = signs_from_ms - made["created_at_ms"].as_i64().unwrap();
    assert!(ahead_ms <= i64::from(AHEAD_S) * 1_000, "{made}");
    for instance in [&one, &two] {
        let keys = instance.get("/auth/jwks").await.body;
        assert_eq!(published(&keys), [new, &old], "published before it is used");
    }

    for instance in [&two, &one] {
        // Whatever the machine is busy with: each token is held against the moments around it.
        loop {
            let signed = signed(instance).await;
            let (by, known_by_all) = (kid(&signed.token), signs_from_ms + LOOKS_AGAIN_MS);
            if signed.before_ms < signs_from_ms {
                assert_eq!(by, old, "published, and not used yet");
            }
            if signed.after_ms > known_by_all {
                assert_eq!(by, new, "still signing with the old key");
            }
            let done = signed.after_ms > known_by_all;
            all.push(signed);
            if done {
                break;
            }
        }
    }
    let keys = two.get("/auth/jwks").await;
    for signed in &all {
        assert_eq!(claims(&signed.token, &keys)["iss"], "lictor-users");
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
