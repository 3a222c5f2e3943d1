//! The published form: a JSON Web Key Set (RFC 7517, RFC 8037). Only public halves have a way into it.

use super::generation::Generation;
use serde::Serialize;
use utoipa::ToSchema;

/// The document.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeySet {
    keys: Vec<PublicKey>,
}

#[derive(Debug, Serialize, ToSchema)]
struct PublicKey {
    kty: &'static str,
    crv: &'static str,
    #[serde(rename = "use")]
    purpose: &'static str,
    alg: &'static str,
    kid: String,
    x: String,
}

impl<'a> FromIterator<&'a Generation> for KeySet {
    fn from_iter<I: IntoIterator<Item = &'a Generation>>(generations: I) -> Self {
        let key = |generation: &Generation| PublicKey {
            kty: "OKP",
            crv: "Ed25519",
            purpose: "sig",
            alg: "EdDSA",
            kid: generation.kid.clone(),
            x: generation.public.clone(),
        };
        Self {
            keys: generations.into_iter().map(key).collect(),
        }
    }
}
