//! Reservations: held, confirmed, released, run out.
//!
//! A reservation changes its status by an `UPDATE` that names the status it comes from: whoever is
//! second changes no row and sees why. Each call is one write transaction, all lines or none; what
//! happens to the pieces in it is `pieces.rs`.

use crate::clock::now_ms;
use crate::pieces::{Change, change, hold};
use crate::reservation::{Line, OrderId, Request, Reservation, Status};
use service::{Error, Store, Write};
use std::time::Duration;

/// The reservations of this store.
#[derive(Clone)]
pub struct Ledger {
    store: Store,
    ttl_ms: i64,
}

/// Whether a reservation was made now or is the answer to an earlier request.
pub enum Reserved {
    New(Reservation),
    Known(Reservation),
}

/// Reservations given back in one go; the rest waits for the next one.
const SWEEP_BATCH: i64 = 100;

impl Ledger {
    pub fn new(store: Store, ttl: Duration) -> Self {
        Self {
            store,
            ttl_ms: i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX / 2),
        }
    }

    /// Takes every line or none.
    ///
    /// # Errors
    /// 409 `out_of_stock`, 422 `unknown_item`, 422 `reservation_mismatch` (same order, other
    /// lines), 410 `reservation_closed` (released or run out: it never comes back).
    pub async fn reserve(&self, request: &Request) -> Result<Reserved, Error> {
        self.give_back_expired().await?;
        let mut write = self.store.write().await?;
        let now = now_ms();
        let made = sqlx::query(
            "INSERT INTO reservations (order_id, status, expires_at_ms, updated_at_ms)
             VALUES ($1, 'held', $2, $3) ON CONFLICT (order_id) DO NOTHING",
        )
        .bind(request.order_id.as_str())
        .bind(now + self.ttl_ms)
        .bind(now)
        .execute(&mut *write)
        .await?;
        if made.rows_affected() == 0 {
            drop(write);
            return self.known(request).await.map(Reserved::Known);
        }
        for line in request.items.lines() {
            hold(&mut write, &request.order_id, line).await?;
        }
        write.commit().await?;
        self.get(&request.order_id).await.map(Reserved::New)
    }

    /// # Errors
    /// 404 `not_found`.
    pub async fn get(&self, order: &OrderId) -> Result<Reservation, Error> {
        let head: Option<(String, i64)> =
            sqlx::query_as("SELECT status, expires_at_ms FROM reservations WHERE order_id = $1")
                .bind(order.as_str())
                .fetch_optional(self.store.pool())
                .await?;
        let (status, expires_at_ms) =
            head.ok_or_else(|| Error::not_found("reservation", order.as_str()))?;
        let mut items: Vec<Line> = sqlx::query_as(
            "SELECT sku, quantity, unit_price_cents FROM reservation_lines WHERE order_id = $1",
        )
        .bind(order.as_str())
        .fetch_all(self.store.pool())
        .await?;
        // Here and not in SQL: databases differ in how they sort text.
        items.sort_by(|one, other| one.sku.cmp(&other.sku));
        Ok(Reservation {
            order_id: order.clone(),
            status: Status::try_from(status).map_err(Error::internal)?,
            total_cents: total(&items)?,
            items,
            expires_at_ms,
        })
    }

    /// The order is paid: its pieces leave the house. Again is the same.
    ///
    /// # Errors
    /// 404 `not_found`, 410 `reservation_closed`.
    pub async fn confirm(&self, order: &OrderId) -> Result<Reservation, Error> {
        let mut write = self.store.write().await?;
        if self
            .moves(&mut write, order, Status::Held, Status::Confirmed)
            .await?
        {
            change(&mut write, order, Change::LetGo).await?;
            write.commit().await?;
        } else {
            drop(write);
        }
        let reservation = self.get(order).await?;
        match reservation.status {
            Status::Held | Status::Confirmed => Ok(reservation),
            Status::Released | Status::Expired => Err(closed(reservation.status)),
        }
    }

    /// After this nothing is reserved for the order, and nothing will be: a request that arrives
    /// late is refused, which is why an unknown order is remembered too. What was confirmed goes
    /// back into the house. Again is the same.
    pub async fn release(&self, order: &OrderId) -> Result<(), Error> {
        let mut write = self.store.write().await?;
        let now = now_ms();
        let never_seen = sqlx::query(
            "INSERT INTO reservations (order_id, status, expires_at_ms, updated_at_ms)
             VALUES ($1, 'released', $2, $2) ON CONFLICT (order_id) DO NOTHING",
        )
        .bind(order.as_str())
        .bind(now)
        .execute(&mut *write)
        .await?;
        if never_seen.rows_affected() == 0 {
            if self
                .moves(&mut write, order, Status::Held, Status::Released)
                .await?
            {
                change(&mut write, order, Change::GiveBack).await?;
            } else if self
                .moves(&mut write, order, Status::Confirmed, Status::Released)
                .await?
            {
                change(&mut write, order, Change::TakeBackIn).await?;
            }
        }
        write.commit().await?;
        Ok(())
    }

    /// Gives back what ran out, each in a transaction of its own; answers how many.
    pub async fn give_back_expired(&self) -> Result<u64, Error> {
        let due: Vec<(String,)> = sqlx::query_as(
            "SELECT order_id FROM reservations WHERE status = 'held' AND expires_at_ms <= $1
             ORDER BY expires_at_ms LIMIT $2",
        )
        .bind(now_ms())
        .bind(SWEEP_BATCH)
        .fetch_all(self.store.pool())
        .await?;
        let mut given_back = 0;
        for (order,) in due {
            let order = OrderId::try_from(order).map_err(Error::internal)?;
            let mut write = self.store.write().await?;
            // Another instance may have been faster, or the order was paid after all.
            if self
                .moves(&mut write, &order, Status::Held, Status::Expired)
                .await?
            {
                change(&mut write, &order, Change::GiveBack).await?;
                write.commit().await?;
                given_back += 1;
            }
        }
        Ok(given_back)
    }

    /// The answer to a request that was heard before.
    async fn known(&self, request: &Request) -> Result<Reservation, Error> {
        let reservation = self.get(&request.order_id).await?;
        match reservation.status {
            Status::Released | Status::Expired => Err(closed(reservation.status)),
            _ if request.items.is(&reservation.items) => Ok(reservation),
            _ => Err(Error::unprocessable(
                "reservation_mismatch",
                "this order reserved other lines",
            )
            .field("items")),
        }
    }

    async fn moves(
        &self,
        write: &mut Write,
        order: &OrderId,
        from: Status,
        to: Status,
    ) -> Result<bool, Error> {
        let done = sqlx::query("UPDATE reservations SET status = $3, updated_at_ms = $4 WHERE order_id = $1 AND status = $2")
            .bind(order.as_str())
            .bind(from.as_str())
            .bind(to.as_str())
            .bind(now_ms())
            .execute(&mut **write)
            .await?;
        Ok(done.rows_affected() == 1)
    }
}

fn total(lines: &[Line]) -> Result<i64, Error> {
    lines
        .iter()
        .try_fold(0_i64, |sum, line| {
            sum.checked_add(line.quantity.checked_mul(line.unit_price_cents)?)
        })
        .ok_or_else(|| {
            Error::unprocessable("amount_overflow", "the sum is too large").field("items")
        })
}

fn closed(status: Status) -> Error {
    Error::new(
        410,
        "reservation_closed",
        format!("this reservation is {}", status.as_str()),
    )
}
