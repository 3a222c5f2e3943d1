//! One key, one order, whatever happens on the way.
//!
//! A key belongs to its subject and to one body. Whoever comes first writes key and order in one
//! transaction; whoever comes later finds the order. What became of it, and who works on it, is said
//! by the order alone (`claim.rs`): there is no second place that could say something else.

use crate::claim::{Claim, Claims};
use crate::clock::now_ms;
use crate::order::{NewOrder, OrderId};
use serde::Deserialize;
use service::{Error, Store};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// The keys of this store.
#[derive(Clone)]
pub struct Keys {
    store: Store,
    keep_ms: i64,
}

/// A request's key: the client's word, and whose client.
#[derive(Debug, Clone)]
pub struct Key {
    pub subject: String,
    pub key: String,
}

/// What a key means for the request that carries it.
pub enum Found {
    /// Nobody came with it before.
    New(Box<Claim>),
    /// It means this order.
    Known(OrderId),
}

/// `[idempotency]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub wait_ms: u32,
    pub keep_ms: u32,
}

impl Settings {
    pub fn wait(&self) -> Duration {
        Duration::from_millis(u64::from(self.wait_ms))
    }
}

impl Keys {
    pub fn new(store: Store, settings: &Settings) -> Self {
        Self {
            store,
            keep_ms: i64::from(settings.keep_ms),
        }
    }

    /// The order of a key, written down now if there was none.
    ///
    /// # Errors
    /// 422 `idempotency_key_reused` when the key came with another body.
    pub async fn find(&self, key: &Key, new: &NewOrder, claims: &Claims) -> Result<Found, Error> {
        let (hash, id) = (fingerprint(new), OrderId::random());
        let mut write = self.store.write().await?;
        let made = sqlx::query(
            "INSERT INTO idempotency_keys (subject, key, body_hash, order_id, created_at_ms)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (subject, key) DO NOTHING",
        )
        .bind(key.subject.as_str())
        .bind(key.key.as_str())
        .bind(hash.as_str())
        .bind(id.as_str())
        .bind(now_ms())
        .execute(&mut *write)
        .await?;
        if made.rows_affected() == 1 {
            let claim = claims.accept(&mut write, &id, new).await?;
            write.commit().await?;
            return Ok(Found::New(Box::new(claim)));
        }
        let (known_hash, order): (String, String) = sqlx::query_as(
            "SELECT body_hash, order_id FROM idempotency_keys WHERE subject = $1 AND key = $2",
        )
        .bind(key.subject.as_str())
        .bind(key.key.as_str())
        .fetch_one(&mut *write)
        .await?;
        if known_hash != hash {
            let detail = "this key came with another body before";
            let error = Error::unprocessable("idempotency_key_reused", detail);
            return Err(error.field("Idempotency-Key"));
        }
        OrderId::try_from(order)
            .map(Found::Known)
            .map_err(Error::internal)
    }

    /// Forgets what nobody will ask for any more.
    pub async fn forget_old(&self) -> Result<u64, Error> {
        let mut write = self.store.write().await?;
        let done = sqlx::query("DELETE FROM idempotency_keys WHERE created_at_ms < $1")
            .bind(now_ms() - self.keep_ms)
            .execute(&mut *write)
            .await?;
        write.commit().await?;
        Ok(done.rows_affected())
    }
}

/// The body in its one spelling, hashed.
fn fingerprint(new: &NewOrder) -> String {
    let canonical = serde_json::to_vec(new).expect("an order is plain data");
    Sha256::digest(canonical)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
