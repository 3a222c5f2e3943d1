//! A claim is kept by whoever lives: renewed while its work runs, and gone soon after its process is.
//!
//! So a claim can be short. A client that asks again with its key, because the instance that had its order died, is
//! answered by another one within the time that it waits anyway.
//! A process that stood still may find its claim taken; what it then does changes nothing (`claim.rs`).

use crate::claim::{Claim, Claims};
use crate::clock::now_ms;
use service::Error;
use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// Renewals that fit into a claim: one may come late, and one may fail.
const RENEWALS: u32 = 3;

impl Claims {
    /// Does that work under these claims. Those of them that the work ends are not renewed any more: their
    /// word is gone from the order.
    pub async fn keeping<T>(&self, claims: &[Claim], work: impl Future<Output = T>) -> T {
        tokio::select! {
            done = work => done,
            never = self.keep(claims) => match never {},
        }
    }

    async fn keep(&self, claims: &[Claim]) -> Infallible {
        let lasting = Duration::from_millis(u64::try_from(self.claim_ms).unwrap_or_default());
        let pause = lasting / RENEWALS;
        let mut ticks = interval_at(Instant::now() + pause, pause);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // Waits for its turn to write as long as the store lets it (`store.wait_ms`): who left would come last
            // again, and a claim that ran out meanwhile is renewed if nobody has taken it.
            if let Err(error) = self.renew(claims).await {
                let orders = claims.iter().map(|claim| claim.order.id.as_str());
                let orders = orders.collect::<Vec<_>>().join(", ");
                tracing::warn!(orders, %error, "claims on orders were not renewed");
            }
        }
    }

    async fn renew(&self, claims: &[Claim]) -> Result<(), Error> {
        let mut write = self.store.write().await?;
        for claim in claims {
            sqlx::query("UPDATE orders SET due_at_ms = $3 WHERE id = $1 AND claimed_by = $2")
                .bind(claim.order.id.as_str())
                .bind(claim.word.as_str())
                .bind(now_ms() + self.claim_ms)
                .execute(&mut *write)
                .await?;
        }
        write.commit().await.map_err(Error::from)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::MIGRATIONS;
    use service::testing;
    use tokio::time::sleep;

    const CLAIM: Duration = Duration::from_secs(4);
    const PAUSE: Duration = Duration::from_millis(4_000 / RENEWALS as u64);

    #[tokio::test]
    async fn a_claim_is_kept_where_every_turn_to_write_comes_later_than_the_next_renewal() {
        let directory = tempfile::tempdir().unwrap();
        let store = testing::store(&MIGRATIONS, &directory.path().join("orders.db")).await;
        let claims = Claims {
            store: store.clone(),
            claim_ms: 4_000,
            stock_keep_ms: 0,
        };
        let new = r#"{"user_id":"usr_01937c6e-5a00-7000-8000-0000000000a1","items":[{"sku":"A","quantity":1}]}"#;
        let new = serde_json::from_str(new).unwrap();
        let claim = claims.accept_alone(&new).await.unwrap();
        // Three that write one after the other, so that whoever joins them waits one and a half pauses.
        let writers = [(); 3].map(|()| {
            let store = store.clone();
            tokio::spawn(async move {
                loop {
                    let _write = store.write().await.unwrap();
                    sleep(PAUSE / 2).await;
                }
            })
        });
        let half_as_long_again = async {
            for _ in 0..30 {
                sleep(CLAIM / 20).await;
                let taken = claims.take(&claim.order).await.unwrap();
                assert!(taken.is_none(), "it ran out");
            }
        };
        claims
            .keeping(std::slice::from_ref(&claim), half_as_long_again)
            .await;
        for writer in writers {
            writer.abort();
        }
    }
}
