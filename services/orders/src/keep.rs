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
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

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
            // Whoever waits longer for its turn to write renews too late, and misses the next time.
            let renewed = timeout(pause, self.renew(claims)).await;
            if let Err(error) = renewed.unwrap_or_else(|_| Err(too_late(pause))) {
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

fn too_late(pause: Duration) -> Error {
    let detail = format!("no turn to write came in {} ms", pause.as_millis());
    Error::unavailable("claim_not_renewed", detail)
}
