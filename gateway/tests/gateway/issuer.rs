//! Somebody who issues tokens: keys, the set that is published, and tokens that are as good or as bad as a test wants.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};

use crate::upstream::{Then, Upstream, ok};

/// Said by a publisher that takes a request and never answers.
pub const HANGS: &str = "(hangs)";
/// What comes after it comes late.
const SLOW: &str = "(slow)";
/// So late.
const SLOWNESS: Duration = Duration::from_millis(600);

/// A key pair and its id.
pub struct Signer {
    pub kid: String,
    key: SigningKey,
}

/// A service that publishes what it is told to.
pub struct Publisher {
    pub upstream: Upstream,
    published: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
}

impl Signer {
    /// Always the same key for the same id.
    pub fn new(kid: &str) -> Self {
        let mut seed = [7; 32];
        for (byte, letter) in seed.iter_mut().zip(kid.bytes()) {
            *byte ^= letter;
        }
        Self {
            kid: kid.to_owned(),
            key: SigningKey::from_bytes(&seed),
        }
    }

    pub fn jwk(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.key.verifying_key().as_bytes());
        json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": self.kid, "x": x})
    }

    pub fn head(&self) -> Value {
        json!({"alg": "EdDSA", "typ": "JWT", "kid": self.kid})
    }

    /// A token over exactly this head and these claims.
    pub fn sign(&self, head: &Value, claims: &Value) -> String {
        self.sign_text(&head.to_string(), &claims.to_string())
    }

    /// A token over bytes that need not be JSON.
    pub fn sign_text(&self, head: &str, claims: &str) -> String {
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(head),
            URL_SAFE_NO_PAD.encode(claims)
        );
        let signature = self.key.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }

    /// A good token for a customer.
    pub fn token(&self, subject: &str) -> String {
        self.sign(&self.head(), &claims(subject))
    }
}

impl Publisher {
    pub fn of(signers: &[&Signer]) -> Self {
        let (published, asked) = (Arc::new(Mutex::new(set(signers))), Arc::default());
        let (text, count) = (published.clone(), Arc::<AtomicUsize>::clone(&asked));
        let upstream = Upstream::playing(move |turn| {
            turn.read_body();
            count.fetch_add(1, Ordering::SeqCst);
            let text = text.lock().unwrap().clone();
            if text.is_empty() {
                return Then::Close;
            }
            if text == HANGS {
                turn.wait_for_the_end();
                return Then::Close;
            }
            let slow = text.strip_prefix(SLOW);
            if slow.is_some() {
                std::thread::sleep(SLOWNESS);
            }
            turn.write(ok(slow.unwrap_or(&text)).as_bytes());
            Then::Keep
        });
        Self {
            upstream,
            published,
            asked,
        }
    }

    /// Replaces the set.
    pub fn publish(&self, signers: &[&Signer]) {
        self.say(&set(signers));
    }

    /// The same, but each answer takes 600 ms.
    pub fn publish_slowly(&self, signers: &[&Signer]) {
        self.say(&(SLOW.to_owned() + &set(signers)));
    }

    /// Answers with this; with nothing, it breaks off.
    pub fn say(&self, text: &str) {
        text.clone_into(&mut self.published.lock().unwrap());
    }

    /// Requests so far.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn set(signers: &[&Signer]) -> String {
    let keys: Vec<Value> = signers.iter().map(|signer| signer.jwk()).collect();
    json!({ "keys": keys }).to_string()
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// What the shipped configuration wants to read.
pub fn claims(subject: &str) -> Value {
    json!({
        "iss": "lictor-users", "aud": "lictor", "sub": subject, "scope": "orders:read orders:write",
        "iat": now(), "exp": now() + 900,
    })
}
