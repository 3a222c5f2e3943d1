//! Brings to its end whatever was left on the way: a process died, inventory or payments were away.
//!
//! One in every instance. It takes claims on what is due, the longest due first, a batch at a time,
//! and goes on at once while batches are full and get somewhere. An order that gets nowhere waits,
//! longer each time. It stays as it is until its peers answer, however long that takes: nothing was
//! charged for it that is not accounted for, the client may cancel it, and the metrics say how old
//! the oldest is.

use crate::checkout::{Checkout, End};
use crate::claim::{Claim, Claims};
use crate::metrics::Metrics;
use futures_util::future::join_all;
use serde::Deserialize;
use service::{BadValue, Error};
use std::time::Duration;

/// Beside the requests, one for each process.
pub struct Reconciler {
    pub claims: Claims,
    pub checkout: Checkout,
    pub settings: Settings,
    pub metrics: Metrics,
}

/// `[reconciler]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub every_ms: u32,
    pub batch: u32,
    pub patience_ms: u32,
    pub claim_ms: u32,
    pub longest_wait_ms: u32,
}

/// Reserve, charge, confirm, and undoing both at once.
const STEPS: u32 = 4;
/// The first wait of an order that got nowhere.
const FIRST_WAIT: Duration = Duration::from_millis(250);

impl Reconciler {
    /// For as long as the process lives.
    pub async fn run(self) {
        loop {
            tokio::time::sleep(self.settings.pause()).await;
            if let Err(error) = self.round().await {
                tracing::warn!(%error, "unsettled orders could not be looked at");
            }
        }
    }

    async fn round(&self) -> Result<(), Error> {
        while self.claims.any_due().await? {
            let claims = self
                .claims
                .due(self.settings.batch, self.settings.claim())
                .await?;
            let settled = join_all(claims.iter().map(|claim| self.settle(claim))).await;
            let got_somewhere = settled.contains(&true);
            if claims.len() < self.settings.batch as usize || !got_somewhere {
                break;
            }
        }
        let unsettled = self.checkout.book.unsettled().await?;
        self.metrics.unsettled(&unsettled);
        Ok(())
    }

    /// Whether the order is settled now. A store that fails leaves a claim that runs out.
    async fn settle(&self, claim: &Claim) -> bool {
        let order = claim.order.id.as_str();
        match self.checkout.resume(claim, &self.settings).await {
            Ok(Some(end)) => {
                self.metrics.settled(end);
                tracing::info!(order, end = end.as_str(), "order settled");
                end != End::Lost
            }
            Ok(None) => false,
            Err(error) => {
                tracing::warn!(order, %error, "order could not be settled");
                false
            }
        }
    }
}

impl Settings {
    /// # Errors
    /// A value that cannot work.
    pub fn check(&self) -> Result<(), BadValue> {
        let positive = [
            ("every_ms", self.every_ms),
            ("batch", self.batch),
            ("patience_ms", self.patience_ms),
            ("longest_wait_ms", self.longest_wait_ms),
        ];
        for (key, value) in positive {
            if value == 0 {
                let key = format!("reconciler.{key}");
                return Err(BadValue::new(key, value, "must be at least 1"));
            }
        }
        let longest = self.patience_ms.saturating_mul(STEPS);
        if self.claim_ms < longest {
            let reason =
                format!("must be at least {STEPS} times reconciler.patience_ms, {longest}");
            return Err(BadValue::new("reconciler.claim_ms", self.claim_ms, reason));
        }
        Ok(())
    }

    pub fn patience(&self) -> Duration {
        Duration::from_millis(u64::from(self.patience_ms))
    }

    /// How long an order waits that got nowhere so often.
    pub fn wait(&self, tries: i64) -> Duration {
        let doublings = u32::try_from(tries.clamp(0, 16)).unwrap_or(0);
        let longest = Duration::from_millis(u64::from(self.longest_wait_ms));
        let wait = (FIRST_WAIT * 2_u32.pow(doublings)).min(longest);
        wait.mul_f64(rand::random_range(0.5..=1.0))
    }

    fn claim(&self) -> Duration {
        Duration::from_millis(u64::from(self.claim_ms))
    }

    /// Instances that started together do not look together.
    fn pause(&self) -> Duration {
        Duration::from_millis(u64::from(self.every_ms)).mul_f64(rand::random_range(0.5..1.5))
    }
}
