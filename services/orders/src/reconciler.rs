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
use crate::settle::Rest;
use futures_util::future::join_all;
use serde::Deserialize;
use service::{BadValue, Error};
use std::time::Duration;
use upstream::{Error as Failure, Origin};

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
    pub longest_wait_ms: u32,
}

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
            let claims = self.claims.due(self.settings.batch).await?;
            let settling = join_all(claims.iter().map(|claim| self.settle(claim)));
            let settled = self.claims.keeping(&claims, settling).await;
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
        Ok(())
    }

    pub fn patience(&self) -> Duration {
        Duration::from_millis(u64::from(self.patience_ms))
    }

    /// How long an order is left alone that got nowhere so often, and whether this was a try. It was
    /// none when nothing was sent, because our own breaker or bulkhead refused it: that one knows when
    /// the next call may go, and whoever waited longer would add its wait to the breaker's.
    pub fn rest(&self, tries: i64, failure: &Failure) -> Rest {
        let longest = Duration::from_millis(u64::from(self.longest_wait_ms));
        match failure.retry_after {
            Some(wait) if failure.origin == Origin::Own => Rest {
                wait: wait.min(longest),
                counts: false,
            },
            _ => Rest {
                wait: backoff(tries, longest),
                counts: true,
            },
        }
    }

    /// Instances that started together do not look together.
    fn pause(&self) -> Duration {
        Duration::from_millis(u64::from(self.every_ms)).mul_f64(rand::random_range(0.5..1.5))
    }
}

/// Twice as long each time, up to the longest; and not all at once.
fn backoff(tries: i64, longest: Duration) -> Duration {
    let doublings = u32::try_from(tries.clamp(0, 16)).unwrap_or(0);
    let wait = (FIRST_WAIT * 2_u32.pow(doublings)).min(longest);
    wait.mul_f64(rand::random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings = Settings {
        every_ms: 500,
        batch: 16,
        patience_ms: 2_000,
        longest_wait_ms: 1_000,
    };

    #[test]
    fn an_order_that_got_nowhere_rests_longer_each_time_up_to_the_longest() {
        let failure = Failure::timeout("inventory");
        for (tries, most) in [
            (0, 250),
            (1, 500),
            (2, 1_000),
            (3, 1_000),
            (i64::MAX, 1_000),
        ] {
            let rest = SETTINGS.rest(tries, &failure);
            let most = Duration::from_millis(most);
            assert!(rest.counts);
            assert!((most / 2..=most).contains(&rest.wait), "{tries}: {rest:?}");
        }
    }

    #[test]
    fn an_order_that_our_own_breaker_held_back_rests_as_long_as_it_says_and_was_not_tried() {
        for (says_ms, rests_ms) in [(300, 300), (5_000, 1_000)] {
            let says = Duration::from_millis(says_ms);
            let rest = Rest {
                wait: Duration::from_millis(rests_ms),
                counts: false,
            };
            let refused = Failure::circuit_open("inventory", says);
            assert_eq!(SETTINGS.rest(10, &refused), rest);
        }
        let full = Failure::bulkhead_full("inventory");
        assert!(!SETTINGS.rest(10, &full).counts);
    }

    #[test]
    fn what_the_upstream_itself_refused_was_a_try_whenever_it_wants_to_be_asked_again() {
        let refused = Failure {
            origin: Origin::Upstream,
            ..Failure::circuit_open("inventory", Duration::from_millis(300))
        };
        assert!(SETTINGS.rest(0, &refused).counts);
    }
}
