//! A published set of keys (RFC 7517, RFC 8037), and which of them are good for tokens.
//!
//! A key that is not for us (another algorithm, another use, no id) is left out: whoever publishes the set may have other readers.
//! A set that could not be right as a whole (an id twice, no key of ours, more keys than anybody rotates through) is refused whole, so that it never takes the place of a good one.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::VerifyingKey;
use serde::Deserialize;
use serde_json::Value;

use super::token::{ALGORITHM, MOST_KID_BYTES};

/// The document as it is published.
#[derive(Debug, Deserialize)]
pub struct Document {
    keys: Vec<Value>,
}

/// The keys that may have signed a token, by id. A key that is here verifies Ed25519 and nothing else.
#[derive(Debug, Default, Clone)]
pub struct KeySet {
    by_id: BTreeMap<String, VerifyingKey>,
}

/// One key; members that say nothing about its use for us are not looked at.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: String,
    kid: String,
    x: String,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
}

/// A day of rotations once an hour would be 24; a longer list is a mistake or an attack on our memory.
const MOST_KEYS: usize = 32;

impl KeySet {
    /// The keys of a document.
    ///
    /// # Errors
    /// Why the document as a whole cannot be right.
    pub fn read(document: Document) -> Result<Self, &'static str> {
        if document.keys.len() > MOST_KEYS {
            return Err("too many keys");
        }
        let mut by_id = BTreeMap::new();
        for (kid, key) in document.keys.into_iter().filter_map(usable) {
            if by_id.insert(kid, key).is_some() {
                return Err("an id is there twice");
            }
        }
        if by_id.is_empty() {
            return Err("no key for tokens");
        }
        Ok(Self { by_id })
    }

    /// The key with this id.
    pub fn get(&self, kid: &str) -> Option<&VerifyingKey> {
        self.by_id.get(kid)
    }

    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

fn usable(key: Value) -> Option<(String, VerifyingKey)> {
    let jwk: Jwk = serde_json::from_value(key).ok()?;
    let for_us = jwk.kty == "OKP"
        && jwk.crv == "Ed25519"
        && jwk.alg.is_none_or(|alg| alg == ALGORITHM)
        && jwk.purpose.is_none_or(|purpose| purpose == "sig")
        && (1..=MOST_KID_BYTES).contains(&jwk.kid.len());
    let bytes = URL_SAFE_NO_PAD.decode(&jwk.x).ok()?;
    let key = VerifyingKey::try_from(bytes.as_slice()).ok()?;
    // A key of small order verifies what its owner never signed.
    (for_us && !key.is_weak()).then_some((jwk.kid, key))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use ed25519_dalek::SigningKey;
    use serde_json::json;

    use super::*;

    fn jwk(kid: &str) -> Value {
        let public = SigningKey::from_bytes(&[7; 32]).verifying_key();
        json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": kid,
               "x": URL_SAFE_NO_PAD.encode(public.as_bytes())})
    }

    fn read(keys: Vec<Value>) -> Result<usize, &'static str> {
        KeySet::read(serde_json::from_value(json!({ "keys": keys })).unwrap()).map(|set| set.len())
    }

    #[test]
    fn keys_for_others_are_left_out() {
        let others = [
            ("kty", json!("RSA")),
            ("crv", json!("X25519")),
            ("alg", json!("HS256")),
            ("alg", json!("none")),
            ("use", json!("enc")),
            ("kid", json!("")),
            ("kid", json!(null)),
            ("kid", json!("k".repeat(129))),
            ("x", json!("")),
            ("x", json!("AAAA")),
            ("x", json!("not base64!")),
            // The neutral element and a point that is not on the curve.
            ("x", json!(format!("AQ{}", "A".repeat(41)))),
            ("x", json!(format!("Ag{}", "A".repeat(41)))),
        ];
        for (member, value) in others {
            let mut other = jwk("other");
            other[member] = value.clone();
            assert_eq!(read(vec![jwk("ours"), other]), Ok(1), "{member} = {value}");
        }
        assert_eq!(read(vec![json!(1), json!({}), jwk("ours")]), Ok(1));
    }

    #[test]
    fn a_set_that_cannot_be_right_is_refused_whole() {
        assert_eq!(read(Vec::new()), Err("no key for tokens"));
        assert_eq!(read(vec![jwk("a"), jwk("a")]), Err("an id is there twice"));
        let many = (0..33).map(|number| jwk(&number.to_string())).collect();
        assert_eq!(read(many), Err("too many keys"));
    }
}
