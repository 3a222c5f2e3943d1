//! Tokens: what is read before a signature is checked, and the check (RFC 7515, RFC 8725).
//!
//! A key has exactly one algorithm, and the only one that is spoken here is Ed25519: `alg` is compared, never obeyed.
//! Of the head nothing is believed but the key's id; a head that brings a key, points to one or asks for an extension is refused before anything is looked up.
//! base64url has one spelling and the signature is checked strictly, so that no second text is the same token.
//! Written out on `ed25519-dalek`: a library's `decode` would read the clock itself, choose the algorithm by what the token says, and round an `exp` that is no integer.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, VerifyingKey};
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};

use super::{Refused, claims::Claims};

/// A token whose head has been read. Nothing else of it has been looked at, nothing of it is true yet.
#[derive(Debug)]
pub struct Unverified<'t> {
    /// Head and claims as they were signed.
    signed: &'t str,
    claims: &'t str,
    signature: &'t str,
    kid: String,
}

/// The head. A member that is there twice is refused by serde.
#[derive(Deserialize)]
struct Head {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    jku: Option<IgnoredAny>,
    jwk: Option<IgnoredAny>,
    x5u: Option<IgnoredAny>,
    x5c: Option<IgnoredAny>,
    crit: Option<IgnoredAny>,
}

/// Ours are 400 bytes; with a page of scopes one is 2 KiB.
const MOST_BYTES: usize = 4096;
/// A key's id is a short name; it is looked up before anything is verified.
pub const MOST_KID_BYTES: usize = 128;
/// As RFC 8037 calls Ed25519.
pub const ALGORITHM: &str = "EdDSA";

impl<'t> Unverified<'t> {
    /// Reads the head.
    ///
    /// # Errors
    /// Everything about the form of the token, and about a head that could not be good with any key.
    pub fn parse(text: &'t str) -> Result<Self, Refused> {
        if text.len() > MOST_BYTES {
            return Err(Refused::TooLong);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(Refused::Malformed)?;
        let (head, claims) = signed.split_once('.').ok_or(Refused::Malformed)?;
        let head: Head = json(head)?;
        if claims.contains('.') {
            return Err(Refused::Malformed);
        }
        if head.jku.is_some() || head.jwk.is_some() || head.x5u.is_some() || head.x5c.is_some() {
            return Err(Refused::BringsKey);
        }
        if head.crit.is_some() {
            return Err(Refused::Critical);
        }
        if head.alg != ALGORITHM {
            return Err(Refused::WrongAlgorithm);
        }
        if head.typ.is_some_and(|typ| !is_for_access(&typ)) {
            return Err(Refused::WrongType);
        }
        let kid = head.kid.ok_or(Refused::NoKeyId)?;
        if kid.is_empty() || kid.len() > MOST_KID_BYTES {
            return Err(Refused::UnknownKey);
        }
        Ok(Self {
            signed,
            claims,
            signature,
            kid,
        })
    }

    /// The id of the key that is said to have signed.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Checks the signature; only then are the claims read.
    ///
    /// # Errors
    /// The signature is no signature, or not of this key over this text; the claims have not the types that they must have.
    pub fn verify(&self, key: &VerifyingKey) -> Result<Claims, Refused> {
        let signature =
            Signature::from_slice(&decode(self.signature)?).map_err(|_| Refused::BadSignature)?;
        key.verify_strict(self.signed.as_bytes(), &signature)
            .map_err(|_| Refused::BadSignature)?;
        json(self.claims).map_err(|_| Refused::BadClaims)
    }
}

/// A token that says of itself to be something else (an ID token, a logout token) is not for us (RFC 8725, 3.11).
fn is_for_access(typ: &str) -> bool {
    ["jwt", "at+jwt", "application/at+jwt"]
        .iter()
        .any(|known| typ.eq_ignore_ascii_case(known))
}

fn decode(part: &str) -> Result<Vec<u8>, Refused> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Refused::Malformed)
}

fn json<T: DeserializeOwned>(part: &str) -> Result<T, Refused> {
    serde_json::from_slice(&decode(part)?).map_err(|_| Refused::Malformed)
}
