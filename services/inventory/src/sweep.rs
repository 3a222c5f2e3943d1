//! Gives back the pieces of reservations that ran out: every few seconds beside the requests, and at
//! once when somebody finds too little.
//!
//! A batch is one transaction, and the other writers come between two of them. One of them runs at a time
//! in a process: a crowd that finds an item sold out would otherwise queue for the turn to write, each to
//! sweep what the first of them has swept. Whether a reservation has run out is decided by the `UPDATE`
//! that ends it: it may have been paid, asked for again, or swept by another instance since it was seen.

use crate::clock::now_ms;
use crate::pieces::give_back;
use crate::reservation::OrderId;
use service::{Error, Store, Write};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// Sweeps the reservations of this store; clones share it, and take turns.
#[derive(Clone)]
pub struct Sweep {
    store: Store,
    /// Held by whoever sweeps: whether the last batch left anything to do.
    more: Arc<Mutex<bool>>,
}

/// Reservations given back in one transaction; the other writers wait until it is through.
const BATCH: usize = 100;

impl Sweep {
    pub fn new(store: Store) -> Self {
        Self {
            store,
            more: Arc::default(),
        }
    }

    /// For as long as the process lives.
    pub async fn run(self, pause: Duration) {
        loop {
            tokio::time::sleep(pause).await;
            match self.give_back_all().await {
                Ok(0) => {}
                Ok(given_back) => tracing::info!(given_back, "reservations ran out"),
                Err(error) => {
                    tracing::warn!(%error, "expired reservations could not be given back")
                }
            }
        }
    }

    /// Gives back one batch, or waits for the one that somebody else is at; answers whether there may
    /// be more.
    pub async fn give_back_some(&self) -> Result<bool, Error> {
        match self.more.try_lock() {
            Ok(mut more) => {
                self.batch(&mut more).await?;
                Ok(*more)
            }
            Err(_) => Ok(*self.more.lock().await),
        }
    }

    /// Gives back all that ran out; answers how many reservations that were. Given up half-way, whole
    /// batches stay given back.
    async fn give_back_all(&self) -> Result<usize, Error> {
        let mut given_back = 0;
        let mut any = self.any_expired().await?;
        while any {
            // Let go between two batches, so that a request never waits for more than one.
            let mut more = self.more.lock().await;
            given_back += self.batch(&mut more).await?;
            any = *more;
        }
        Ok(given_back)
    }

    /// A look takes no turn from those who write, and mostly finds nothing.
    pub async fn any_expired(&self) -> Result<bool, Error> {
        let any: Option<(String,)> = sqlx::query_as(
            "SELECT order_id FROM reservations WHERE status = 'held' AND expires_at_ms <= $1 LIMIT 1",
        )
        .bind(now_ms())
        .fetch_optional(self.store.pool())
        .await?;
        Ok(any.is_some())
    }

    /// Answers how many were given back. As many due as fit in leave more to do, also when another
    /// instance was faster with some of them.
    async fn batch(&self, more: &mut bool) -> Result<usize, Error> {
        // Until it is known, and if this is given up half-way.
        *more = true;
        let mut write = self.store.write().await?;
        // Not before: what ran out while this waited for its turn is due as well.
        let now = now_ms();
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
        *more = full;
        Ok(expired.len())
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
