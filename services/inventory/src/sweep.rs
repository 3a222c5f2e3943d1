//! Gives back the pieces of reservations that ran out: every few seconds beside the requests, and at
//! once when somebody finds too little.
//!
//! A batch is one transaction, and the other writers come between two of them. Whether a reservation has
//! run out is decided by the `UPDATE` that ends it: it may have been paid, asked for again, or swept by
//! another instance since it was seen.

use crate::clock::now_ms;
use crate::pieces::give_back;
use crate::reservation::OrderId;
use service::{Error, Store, Write};
use std::time::Duration;

/// Sweeps the reservations of this store; clones share it.
#[derive(Clone)]
pub struct Sweep {
    store: Store,
}

/// What one transaction came to.
struct Batch {
    given_back: u64,
    /// As many were due as fit in; there may be more.
    full: bool,
}

/// Reservations given back in one transaction; the other writers wait until it is through.
const BATCH: usize = 100;

impl Sweep {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// For as long as the process lives.
    pub async fn run(self, pause: Duration) {
        loop {
            tokio::time::sleep(pause).await;
            match self.give_back_expired().await {
                Ok(0) => {}
                Ok(given_back) => tracing::info!(given_back, "reservations ran out"),
                Err(error) => {
                    tracing::warn!(%error, "expired reservations could not be given back")
                }
            }
        }
    }

    /// Gives back all that ran out; answers how many reservations that were. Given up half-way, whole
    /// batches stay given back.
    pub async fn give_back_expired(&self) -> Result<u64, Error> {
        let mut given_back = 0;
        // A look takes no turn from those who write, and mostly finds nothing.
        while self.any_expired().await? {
            let batch = self.batch().await?;
            given_back += batch.given_back;
            if !batch.full {
                break;
            }
        }
        Ok(given_back)
    }

    async fn any_expired(&self) -> Result<bool, Error> {
        let any: Option<(String,)> = sqlx::query_as(
            "SELECT order_id FROM reservations WHERE status = 'held' AND expires_at_ms <= $1 LIMIT 1",
        )
        .bind(now_ms())
        .fetch_optional(self.store.pool())
        .await?;
        Ok(any.is_some())
    }

    async fn batch(&self) -> Result<Batch, Error> {
        let now = now_ms();
        let mut write = self.store.write().await?;
        let due: Vec<(String,)> = sqlx::query_as(
            "SELECT order_id FROM reservations WHERE status = 'held' AND expires_at_ms <= $1
             ORDER BY expires_at_ms, order_id LIMIT $2",
        )
        .bind(now)
        .bind(i64::try_from(BATCH).unwrap_or(i64::MAX))
        .fetch_all(&mut *write)
        .await?;
        let mut due = due
            .into_iter()
            .map(|(order,)| OrderId::try_from(order))
            .collect::<Result<Vec<_>, _>>()
            .map_err(Error::internal)?;
        let full = due.len() == BATCH;
        // Two instances that sweep at once lock the rows in the same order.
        due.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        let mut expired = Vec::new();
        for order in due {
            if runs_out(&mut write, &order, now).await? {
                expired.push(order);
            }
        }
        give_back(&mut write, &expired).await?;
        write.commit().await?;
        let given_back = expired.len() as u64;
        Ok(Batch { given_back, full })
    }
}

/// Whether this reservation is held and its time is up, and it has run out now.
async fn runs_out(write: &mut Write, order: &OrderId, now: i64) -> Result<bool, Error> {
    let done = sqlx::query(
        "UPDATE reservations SET status = 'expired', updated_at_ms = $2
         WHERE order_id = $1 AND status = 'held' AND expires_at_ms <= $2",
    )
    .bind(order.as_str())
    .bind(now)
    .execute(&mut **write)
    .await?;
    Ok(done.rows_affected() == 1)
}
