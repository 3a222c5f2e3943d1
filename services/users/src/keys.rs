//! The keys that sign tokens. They live in the store, so that every instance signs with the same
//! one and publishes all of them.
//!
//! The first instance makes the first generation; whoever comes second, even at the same moment,
//! is turned away by the table's UNIQUE and reads what the first one wrote. The private half is
//! stored in plain text: who can read the store can sign.

use crate::clock::now_ms;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::EncodingKey;
use serde::Serialize;
use service::{Error, Store};
use uuid::Uuid;

/// The key that signs, and its name in a token's head.
pub struct Signer {
    pub kid: String,
    pub key: EncodingKey,
}

/// A JSON Web Key Set (RFC 7517, RFC 8037).
#[derive(Debug, Serialize)]
pub struct KeySet {
    keys: Vec<PublicKey>,
}

#[derive(Debug, Serialize)]
struct PublicKey {
    kty: &'static str,
    crv: &'static str,
    #[serde(rename = "use")]
    purpose: &'static str,
    alg: &'static str,
    kid: String,
    x: String,
}

const FIRST_GENERATION: i64 = 1;

/// The newest key, made now if this store has none.
pub async fn signer(store: &Store) -> Result<Signer, Error> {
    let fresh = SigningKey::from_bytes(&rand::random());
    let secret = fresh.to_pkcs8_der().map_err(Error::internal)?;
    sqlx::query(
        "INSERT INTO signing_keys (generation, kid, secret, public, created_at_ms)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (generation) DO NOTHING",
    )
    .bind(FIRST_GENERATION)
    .bind(format!("key_{}", Uuid::new_v4()))
    .bind(STANDARD.encode(secret.as_bytes()))
    .bind(URL_SAFE_NO_PAD.encode(fresh.verifying_key().as_bytes()))
    .bind(now_ms())
    .execute(store.pool())
    .await?;
    let (kid, secret): (String, String) =
        sqlx::query_as("SELECT kid, secret FROM signing_keys ORDER BY generation DESC LIMIT 1")
            .fetch_one(store.pool())
            .await?;
    let der = STANDARD.decode(secret).map_err(Error::internal)?;
    Ok(Signer {
        kid,
        key: EncodingKey::from_ed_der(&der),
    })
}

/// Every public key, the newest first; read afresh, because another instance may have added one.
pub async fn published(store: &Store) -> Result<KeySet, Error> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT kid, public FROM signing_keys ORDER BY generation DESC")
            .fetch_all(store.pool())
            .await?;
    let key = |(kid, x)| PublicKey {
        kty: "OKP",
        crv: "Ed25519",
        purpose: "sig",
        alg: "EdDSA",
        kid,
        x,
    };
    Ok(KeySet {
        keys: rows.into_iter().map(key).collect(),
    })
}
