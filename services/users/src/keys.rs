//! The keys that sign tokens. They live in the store, so that every instance signs with the same one and publishes all of them.
//!
//! The first instance makes the first generation; whoever comes second, even at the same moment, is turned away by the table's UNIQUE and reads what the first one wrote.
//! A rotation makes the next generation. It is published at once and signs later; the one before is published as long as a token that it signed may live (`keys/generation.rs`).
//! An instance reads the keys again when it signs and has not read them for a second: no sign-in costs a read of its own, and no instance signs with a key that the others have left.
//! The private half is stored in plain text: who can read the store can sign.

mod generation;
mod jwks;

pub use self::jwks::KeySet;

use self::generation::{Generation, Generations};
use crate::clock::now_ms;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::EncodingKey;
use serde::{Deserialize, Serialize};
use service::{BadValue, Error, Store, Write};
use sqlx::{Any, Executor};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The keys, as this instance knows them.
pub struct Keys {
    store: Store,
    settings: Settings,
    /// How long a key is published after the last token that it signed was given out.
    kept_ms: i64,
    read: Mutex<Option<(Instant, Arc<Generations>)>>,
}

/// The key that signs, and its name in a token's head.
pub struct Signer {
    pub kid: String,
    pub key: EncodingKey,
}

/// `[keys]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    publish_ahead_s: u32,
}

/// A key as an operator sees it.
#[derive(Debug, Serialize)]
pub struct KeyStatus {
    kid: String,
    state: &'static str,
    created_at_ms: i64,
    signs_from_ms: i64,
}

/// An instance that has not looked for so long looks again before it signs.
const READ_AGAIN: Duration = Duration::from_secs(1);
/// After its last signature a key is published for a token's lifetime and this: a minute that gateways
/// may allow for clocks, and as much for the clocks of these instances.
const KEPT_BEYOND_LIFETIME_S: u64 = 120;
/// Whoever rotates faster than tokens expire would fill the published set; gateways refuse a set of more than 32.
const MOST_PUBLISHED: usize = 16;
/// A day.
const LONGEST_AHEAD_S: u32 = 86_400;
const FIRST_GENERATION: i64 = 1;

impl Settings {
    pub fn check(&self) -> Result<(), BadValue> {
        if !(1..=LONGEST_AHEAD_S).contains(&self.publish_ahead_s) {
            let reason = format!("must be 1 to {LONGEST_AHEAD_S}");
            return Err(BadValue::new(
                "keys.publish_ahead_s",
                self.publish_ahead_s,
                reason,
            ));
        }
        Ok(())
    }
}

impl Keys {
    /// The keys of this store, the first one made now if there is none.
    pub async fn open(store: Store, settings: Settings, lifetime_s: u64) -> Result<Self, Error> {
        let mut write = store.write().await?;
        insert(&mut write, FIRST_GENERATION, 0).await?;
        write.commit().await?;
        let kept_s = i64::try_from(lifetime_s + KEPT_BEYOND_LIFETIME_S).unwrap_or(i64::MAX / 1000);
        Ok(Self {
            store,
            settings,
            kept_ms: kept_s * 1000,
            read: Mutex::default(),
        })
    }

    /// The key that signs now.
    pub async fn signer(&self) -> Result<Signer, Error> {
        let generations = self.recent().await?;
        let signing = generations
            .signing(now_ms())
            .ok_or_else(|| Error::internal("no key signs yet"))?;
        let der = STANDARD.decode(&signing.secret).map_err(Error::internal)?;
        Ok(Signer {
            kid: signing.kid.clone(),
            key: EncodingKey::from_ed_der(&der),
        })
    }

    /// Every public key that a token may need; read afresh, because another instance may have added one.
    pub async fn published(&self) -> Result<KeySet, Error> {
        let generations = read(self.store.pool()).await?;
        Ok(generations.published(now_ms(), self.kept_ms).collect())
    }

    /// Makes the next generation: published from now on, signing from `publish_ahead_s` on.
    ///
    /// # Errors
    /// 409 `too_many_keys`, `rotation_running`.
    pub async fn rotate(&self) -> Result<KeyStatus, Error> {
        let now = now_ms();
        let mut write = self.store.write().await?;
        let generations = read(&mut *write).await?;
        for old in generations.expired(now, self.kept_ms) {
            sqlx::query("DELETE FROM signing_keys WHERE generation = $1")
                .bind(old.number)
                .execute(&mut *write)
                .await?;
        }
        if generations.published(now, self.kept_ms).count() >= MOST_PUBLISHED {
            return Err(Error::conflict(
                "too_many_keys",
                format!(
                    "{MOST_PUBLISHED} keys are published; the oldest go when their tokens have expired"
                ),
            ));
        }
        let next = generations.newest() + 1;
        let signs_from = now + i64::from(self.settings.publish_ahead_s) * 1000;
        if !insert(&mut write, next, signs_from).await? {
            return Err(Error::conflict(
                "rotation_running",
                "another instance is making the next key",
            ));
        }
        let made = read(&mut *write).await?;
        write.commit().await?;
        made.iter()
            .find(|generation| generation.number == next)
            .map(|generation| self.status(&made, generation, now))
            .ok_or_else(|| Error::internal("the key that was just made is not there"))
    }

    /// All keys that are published, the newest first.
    pub async fn list(&self) -> Result<Vec<KeyStatus>, Error> {
        let generations = read(self.store.pool()).await?;
        let now = now_ms();
        let published = generations.published(now, self.kept_ms);
        Ok(published
            .map(|generation| self.status(&generations, generation, now))
            .collect())
    }

    fn status(&self, all: &Generations, one: &Generation, now: i64) -> KeyStatus {
        KeyStatus {
            kid: one.kid.clone(),
            state: all.state(one, now),
            created_at_ms: one.created_at_ms,
            signs_from_ms: one.signs_from_ms,
        }
    }

    async fn recent(&self) -> Result<Arc<Generations>, Error> {
        let now = Instant::now();
        let known = self
            .read
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some((at, generations)) = known
            && now.duration_since(at) < READ_AGAIN
        {
            return Ok(generations);
        }
        let generations = Arc::new(read(self.store.pool()).await?);
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((now, generations.clone()));
        Ok(generations)
    }
}

/// Makes a key for this generation, unless it has one.
async fn insert(write: &mut Write, generation: i64, signs_from_ms: i64) -> Result<bool, Error> {
    let fresh = SigningKey::from_bytes(&rand::random());
    let secret = fresh.to_pkcs8_der().map_err(Error::internal)?;
    let inserted = sqlx::query(
        "INSERT INTO signing_keys (generation, kid, secret, public, created_at_ms, signs_from_ms)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (generation) DO NOTHING",
    )
    .bind(generation)
    .bind(format!("key_{}", Uuid::new_v4()))
    .bind(STANDARD.encode(secret.as_bytes()))
    .bind(URL_SAFE_NO_PAD.encode(fresh.verifying_key().as_bytes()))
    .bind(now_ms())
    .bind(signs_from_ms)
    .execute(&mut **write)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

async fn read<'c>(executor: impl Executor<'c, Database = Any>) -> Result<Generations, Error> {
    let rows = sqlx::query_as(
        "SELECT generation, kid, secret, public, created_at_ms, signs_from_ms
         FROM signing_keys ORDER BY generation DESC",
    );
    Ok(Generations::new(rows.fetch_all(executor).await?))
}
