//! One key, one order: who may work on it, and what was answered.
//!
//! A key belongs to its subject and to one body. Whoever comes first writes key and order in one
//! transaction and has a claim on it for a while; whoever comes later gets the answer, or is told
//! that the first is still at it. A claim that ran out (its process is gone) passes on to the next
//! request, which goes on with the *same* order: inventory and payments know it by its id, so
//! nothing is done twice. That also holds when the first one was only slow.

use crate::book;
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
    claim_ms: i64,
    keep_ms: i64,
}

/// A request's key: the client's word, and whose client.
#[derive(Debug, Clone)]
pub struct Key {
    pub subject: String,
    pub key: String,
}

/// What a key means for the request that carries it.
pub enum Claim {
    /// Place this order; nobody else does.
    Mine(OrderId),
    /// It was answered before.
    Answered(String),
    /// Somebody is at it.
    InProgress,
}

/// `[idempotency]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub claim_ms: u32,
    pub wait_ms: u32,
    pub keep_ms: u32,
}

#[derive(sqlx::FromRow)]
struct Row {
    body_hash: String,
    order_id: String,
    claimed_until_ms: i64,
    answer: Option<String>,
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
            claim_ms: i64::from(settings.claim_ms),
            keep_ms: i64::from(settings.keep_ms),
        }
    }

    /// # Errors
    /// 422 `idempotency_key_reused` when the key came with another body.
    pub async fn claim(&self, key: &Key, new: &NewOrder) -> Result<Claim, Error> {
        let hash = fingerprint(new);
        let (now, order) = (now_ms(), OrderId::random());
        let mut write = self.store.write().await?;
        let made = sqlx::query(
            "INSERT INTO idempotency_keys (subject, key, body_hash, order_id, claimed_until_ms, created_at_ms)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (subject, key) DO NOTHING",
        )
        .bind(key.subject.as_str())
        .bind(key.key.as_str())
        .bind(hash.as_str())
        .bind(order.as_str())
        .bind(now + self.claim_ms)
        .bind(now)
        .execute(&mut *write)
        .await?;
        if made.rows_affected() == 1 {
            book::insert(&mut *write, &order, new).await?;
            write.commit().await?;
            return Ok(Claim::Mine(order));
        }
        drop(write);
        self.known(key, &hash, now).await
    }

    /// Keeps the answer for whoever asks again.
    pub async fn answer(&self, key: &Key, answer: &str) -> Result<(), Error> {
        sqlx::query("UPDATE idempotency_keys SET answer = $3 WHERE subject = $1 AND key = $2")
            .bind(key.subject.as_str())
            .bind(key.key.as_str())
            .bind(answer)
            .execute(self.store.pool())
            .await?;
        Ok(())
    }

    /// Forgets a key whose order came to nothing: the next request with it is a new attempt.
    pub async fn forget(&self, key: &Key, order: &OrderId) -> Result<(), Error> {
        sqlx::query(
            "DELETE FROM idempotency_keys WHERE subject = $1 AND key = $2 AND order_id = $3",
        )
        .bind(key.subject.as_str())
        .bind(key.key.as_str())
        .bind(order.as_str())
        .execute(self.store.pool())
        .await?;
        Ok(())
    }

    /// Forgets what nobody will ask for any more.
    pub async fn forget_old(&self) -> Result<u64, Error> {
        let done = sqlx::query("DELETE FROM idempotency_keys WHERE created_at_ms < $1")
            .bind(now_ms() - self.keep_ms)
            .execute(self.store.pool())
            .await?;
        Ok(done.rows_affected())
    }

    async fn known(&self, key: &Key, hash: &str, now: i64) -> Result<Claim, Error> {
        let row: Option<Row> = sqlx::query_as(
            "SELECT body_hash, order_id, claimed_until_ms, answer FROM idempotency_keys WHERE subject = $1 AND key = $2",
        )
        .bind(key.subject.as_str())
        .bind(key.key.as_str())
        .fetch_optional(self.store.pool())
        .await?;
        // Forgotten between the two looks: it counts as being worked on, the client asks again.
        let Some(row) = row else {
            return Ok(Claim::InProgress);
        };
        if row.body_hash != hash {
            let detail = "this key came with another body before";
            return Err(
                Error::unprocessable("idempotency_key_reused", detail).field("Idempotency-Key")
            );
        }
        match row.answer {
            Some(answer) => Ok(Claim::Answered(answer)),
            None if row.claimed_until_ms > now => Ok(Claim::InProgress),
            None => self.take_over(key, row, now).await,
        }
    }

    async fn take_over(&self, key: &Key, row: Row, now: i64) -> Result<Claim, Error> {
        let done = sqlx::query(
            "UPDATE idempotency_keys SET claimed_until_ms = $4
             WHERE subject = $1 AND key = $2 AND claimed_until_ms = $3 AND answer IS NULL",
        )
        .bind(key.subject.as_str())
        .bind(key.key.as_str())
        .bind(row.claimed_until_ms)
        .bind(now + self.claim_ms)
        .execute(self.store.pool())
        .await?;
        if done.rows_affected() == 0 {
            return Ok(Claim::InProgress);
        }
        Ok(Claim::Mine(
            OrderId::try_from(row.order_id).map_err(Error::internal)?,
        ))
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
