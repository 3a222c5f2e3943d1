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

/// Renewals that fit into a claim: one may come late, and one may fail.
const RENEWALS: u32 = 3;

impl Claims {
    /// Does that work under the claim.
    pub async fn keeping<T>(&self, claim: &Claim, work: impl Future<Output = T>) -> T {
        tokio::select! {
            done = work => done,
            never = self.keep(claim) => match never {},
        }
    }

    async fn keep(&self, claim: &Claim) -> Infallible {
        let lasting = Duration::from_millis(u64::try_from(self.claim_ms).unwrap_or_default());
        loop {
            tokio::time::sleep(lasting / RENEWALS).await;
            if let Err(error) = self.renew(claim).await {
                let order = claim.order.id.as_str();
                tracing::warn!(order, %error, "the claim on an order was not renewed");
            }
        }
    }

    async fn renew(&self, claim: &Claim) -> Result<(), Error> {
        let mut write = self.store.write().await?;
        sqlx::query("UPDATE orders SET due_at_ms = $3 WHERE id = $1 AND claimed_by = $2")
            .bind(claim.order.id.as_str())
            .bind(claim.word.as_str())
            .bind(now_ms() + self.claim_ms)
            .execute(&mut *write)
            .await?;
        write.commit().await.map_err(Error::from)
    }
}
