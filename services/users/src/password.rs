//! Passwords: argon2id, one at a time, on the blocking pool.
//!
//! One hash costs some 20 ms of a core and 7 MiB. The memory is held once and is itself the slot:
//! whoever has it hashes, the others wait up to a bound and are then refused with 503, so that a
//! burst of sign-ins can exhaust neither cores nor memory. What a password is worth is not judged
//! here beyond its length.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};
use serde::Deserialize;
use service::{BadValue, Error};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::timeout;
use utoipa::ToSchema;

/// Hashes and verifies; clones share the one slot.
#[derive(Clone)]
pub struct Passwords {
    slot: Arc<Mutex<Vec<Block>>>,
    params: Params,
    queue: Duration,
    /// Verified in place of the hash of a user who is not there, so that both answers take as long.
    decoy: Arc<str>,
}

/// 8 to 128 bytes of anything; never printed.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, format = Password, min_length = 8, max_length = 128, examples("correct horse battery"))]
pub struct Password(String);

/// `[password]`: what one hash costs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    memory_kib: u32,
    passes: u32,
    queue_ms: u64,
}

const LENGTH: std::ops::RangeInclusive<usize> = 8..=128;
/// One core for each hash: a second lane would be computed after the first anyway.
const LANES: u32 = 1;
/// 128 bits, as RFC 9106 recommends.
const SALT_BYTES: usize = 16;
/// 256 bits, as RFC 9106 recommends.
const HASH_BYTES: usize = 32;

impl Settings {
    /// Refuses costs that argon2 cannot have.
    pub fn check(&self) -> Result<(), BadValue> {
        self.params().map(drop).map_err(|error| {
            BadValue::new("password.memory_kib", self.memory_kib, error.to_string())
        })
    }

    fn params(&self) -> Result<Params, argon2::Error> {
        Params::new(self.memory_kib, self.passes, LANES, Some(HASH_BYTES))
    }
}

impl Passwords {
    /// # Errors
    /// Costs that [`Settings::check`] refuses.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        let params = settings.params().map_err(broken)?;
        let decoy = phc(&params, &[0; SALT_BYTES], &[0; HASH_BYTES])?;
        Ok(Self {
            slot: Arc::default(),
            params,
            queue: Duration::from_millis(settings.queue_ms),
            decoy: decoy.into(),
        })
    }

    /// The hash to store, as a PHC string with a salt of its own.
    ///
    /// # Errors
    /// 503 `sign_in_busy` when the slot is not free in time.
    pub async fn hash(&self, password: Password) -> Result<String, Error> {
        let salt: [u8; SALT_BYTES] = rand::random();
        let hash = self
            .compute(password, salt.to_vec(), self.params.clone())
            .await?;
        phc(&self.params, &salt, &hash)
    }

    /// Whether the password is the one of the stored hash; without a hash it takes as long and is not.
    ///
    /// # Errors
    /// 503 `sign_in_busy` when the slot is not free in time.
    pub async fn verify(&self, password: Password, stored: Option<&str>) -> Result<bool, Error> {
        let parsed = PasswordHash::new(stored.unwrap_or(&self.decoy)).map_err(broken)?;
        let (Some(salt), Some(expected)) = (&parsed.salt, &parsed.hash) else {
            return Err(broken("a stored hash without salt or output"));
        };
        let params = Params::try_from(&parsed).map_err(broken)?;
        let hash = self.compute(password, salt.to_vec(), params).await?;
        // `Output` compares in constant time.
        Ok(Output::new(&hash).map_err(broken)? == *expected && stored.is_some())
    }

    async fn compute(
        &self,
        password: Password,
        salt: Vec<u8>,
        params: Params,
    ) -> Result<Vec<u8>, Error> {
        let busy = || {
            Error::unavailable(
                "sign_in_busy",
                "too many passwords are being checked; try again",
            )
        };
        let mut memory: OwnedMutexGuard<Vec<Block>> =
            timeout(self.queue, self.slot.clone().lock_owned())
                .await
                .map_err(|_| busy())?;
        let hash = move || {
            memory.resize(params.block_count(), Block::new());
            let mut out = vec![0; params.output_len().unwrap_or(HASH_BYTES)];
            Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                .hash_password_into_with_memory(
                    password.0.as_bytes(),
                    &salt,
                    &mut out,
                    memory.as_mut_slice(),
                )
                .map(|()| out)
        };
        tokio::task::spawn_blocking(hash)
            .await
            .map_err(broken)?
            .map_err(broken)
    }
}

impl TryFrom<String> for Password {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if !LENGTH.contains(&text.len()) {
            return Err(format!(
                "must have {} to {} bytes",
                LENGTH.start(),
                LENGTH.end()
            ));
        }
        Ok(Self(text))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

fn phc(params: &Params, salt: &[u8], hash: &[u8]) -> Result<String, Error> {
    Ok(PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params).map_err(broken)?,
        salt: Some(Salt::new(salt).map_err(broken)?),
        hash: Some(Output::new(hash).map_err(broken)?),
    }
    .to_string())
}

fn broken(cause: impl fmt::Display) -> Error {
    Error::internal(cause.to_string())
}
