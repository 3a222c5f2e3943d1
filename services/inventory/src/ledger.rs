//! Reservations: held, confirmed, released. What runs out is given back in `sweep.rs`.
//!
//! A reservation changes its status by an `UPDATE` that names the status it comes from: whoever is
//! second changes no row and sees why. Each call is one write transaction, all lines or none; what
//! happens to the pieces in it is `pieces.rs`. A closed reservation comes back in two cases: what ran
//! out, for the same attempt of its order, and any, for a later attempt. Whoever asks again for what
//! is held has the whole time anew: it is about to be paid.

use crate::clock::now_ms;
use crate::pieces::{Change, OUT_OF_STOCK, change, forget, hold, take};
use crate::reservation::{Attempt, Line, OrderId, Request, Reservation, Status};
use crate::sweep::Sweep;
use service::{Error, Store, Write};
use std::time::Duration;

/// The reservations of this store.
#[derive(Clone)]
pub struct Ledger {
    store: Store,
    sweep: Sweep,
    ttl_ms: i64,
}

/// Whether a reservation was made now or is the answer to an earlier request.
pub enum Reserved {
    New(Reservation),
    Known(Reservation),
}

impl Ledger {
    pub fn new(store: Store, sweep: Sweep, ttl: Duration) -> Self {
        Self {
            store,
            sweep,
            ttl_ms: i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX / 2),
        }
    }

    /// Takes every line or none. Only who finds too little looks for what ran out: its caller has a
    /// tenth of a second.
    ///
    /// # Errors
    /// 409 `out_of_stock`, 422 `unknown_item`, 422 `reservation_mismatch` (same order, other
    /// lines), 410 `reservation_closed` (this attempt was released, or a later one has begun), 503
    /// `reservation_in_progress` (somebody else changed it at this moment).
    pub async fn reserve(&self, request: &Request) -> Result<Reserved, Error> {
        match self.hold_all(request).await {
            Err(short) if short.code() == OUT_OF_STOCK => self.hold_what_ran_out(request).await,
            answer => answer,
        }
    }

    /// Some is given back, then it tries again, in turn: never more is swept than it takes, because
    /// a long backlog would use up the caller's time.
    async fn hold_what_ran_out(&self, request: &Request) -> Result<Reserved, Error> {
        let mut more = self.sweep.any_expired().await?;
        loop {
            if more {
                more = self.sweep.give_back_some().await?;
            }
            // Also when nothing had run out: somebody else may have given it back just before.
            match self.hold_all(request).await {
                Err(short) if more && short.code() == OUT_OF_STOCK => {}
                answer => return answer,
            }
        }
    }

    async fn hold_all(&self, request: &Request) -> Result<Reserved, Error> {
        let mut write = self.store.write().await?;
        let now = now_ms();
        let made = sqlx::query(
            "INSERT INTO reservations (order_id, status, expires_at_ms, updated_at_ms, attempt)
             VALUES ($1, 'held', $2, $3, $4) ON CONFLICT (order_id) DO NOTHING",
        )
        .bind(request.order_id.as_str())
        .bind(now + self.ttl_ms)
        .bind(now)
        .bind(request.attempt.number())
        .execute(&mut *write)
        .await?;
        if made.rows_affected() == 0 {
            drop(write);
            return self.known(request).await;
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
        let head: Option<(String, i64, i64)> = sqlx::query_as(
            "SELECT status, expires_at_ms, attempt FROM reservations WHERE order_id = $1",
        )
        .bind(order.as_str())
        .fetch_optional(self.store.pool())
        .await?;
        let (status, expires_at_ms, attempt) =
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
            attempt: Attempt::try_from(attempt).map_err(Error::internal)?,
            status: Status::try_from(status).map_err(Error::internal)?,
            total_cents: total(&items)?,
            items,
            expires_at_ms,
        })
    }

    /// The order is paid: its pieces leave the house. Again is the same.
    ///
    /// # Errors
    /// 404 `not_found`, 410 `reservation_expired` (it can be held again), 410 `reservation_closed`.
    pub async fn confirm(&self, order: &OrderId, attempt: Attempt) -> Result<Reservation, Error> {
        let mut write = self.store.write().await?;
        if moves(&mut write, order, attempt, Status::Held, Status::Confirmed).await? {
            change(&mut write, order, Change::LetGo).await?;
            write.commit().await?;
        } else {
            drop(write);
        }
        let reservation = self.get(order).await?;
        match reservation.status {
            Status::Confirmed if reservation.attempt <= attempt => Ok(reservation),
            Status::Expired if reservation.attempt <= attempt => Err(expired()),
            _ => Err(closed(&reservation)),
        }
    }

    /// After this nothing is reserved for this attempt of the order or an earlier one, and nothing
    /// will be: a request that arrives late is refused, which is why an unknown order is remembered
    /// too. What was confirmed goes back into the house. Again is the same.
    pub async fn release(&self, order: &OrderId, attempt: Attempt) -> Result<(), Error> {
        let mut write = self.store.write().await?;
        let now = now_ms();
        let never_seen = sqlx::query(
            "INSERT INTO reservations (order_id, status, expires_at_ms, updated_at_ms, attempt)
             VALUES ($1, 'released', $2, $2, $3) ON CONFLICT (order_id) DO NOTHING",
        )
        .bind(order.as_str())
        .bind(now)
        .bind(attempt.number())
        .execute(&mut *write)
        .await?;
        if never_seen.rows_affected() == 0 {
            if moves(&mut write, order, attempt, Status::Held, Status::Released).await? {
                change(&mut write, order, Change::GiveBack).await?;
            } else if moves(
                &mut write,
                order,
                attempt,
                Status::Confirmed,
                Status::Released,
            )
            .await?
            {
                change(&mut write, order, Change::TakeBackIn).await?;
            }
            sqlx::query(
                "UPDATE reservations SET status = 'released', attempt = $2, updated_at_ms = $3
                 WHERE order_id = $1 AND attempt <= $2 AND status IN ('released', 'expired')",
            )
            .bind(order.as_str())
            .bind(attempt.number())
            .bind(now)
            .execute(&mut *write)
            .await?;
        }
        write.commit().await?;
        Ok(())
    }

    /// The answer to a request about an order that was heard of before.
    async fn known(&self, request: &Request) -> Result<Reserved, Error> {
        let reservation = self.get(&request.order_id).await?;
        let same_attempt = request.attempt == reservation.attempt;
        let same_lines = request.items.is(&reservation.items);
        match reservation.status {
            Status::Released | Status::Expired if request.attempt > reservation.attempt => {
                self.hold_again(request, &reservation).await
            }
            Status::Expired if same_attempt && same_lines => {
                self.hold_again(request, &reservation).await
            }
            Status::Released | Status::Expired => Err(closed(&reservation)),
            _ if !same_attempt => Err(closed(&reservation)),
            Status::Held if same_lines => self.hold_on(request).await,
            Status::Confirmed if same_lines => Ok(Reserved::Known(reservation)),
            _ => Err(Error::unprocessable(
                "reservation_mismatch",
                "this order reserved other lines",
            )
            .field("items")),
        }
    }

    /// What is held is held for the whole time anew: who asks again is about to pay, and must not lose
    /// the pieces between this answer and the confirmation.
    async fn hold_on(&self, request: &Request) -> Result<Reserved, Error> {
        let mut write = self.store.write().await?;
        let now = now_ms();
        let done = sqlx::query(
            "UPDATE reservations SET expires_at_ms = $3, updated_at_ms = $4
             WHERE order_id = $1 AND attempt = $2 AND status = 'held'",
        )
        .bind(request.order_id.as_str())
        .bind(request.attempt.number())
        .bind(now + self.ttl_ms)
        .bind(now)
        .execute(&mut *write)
        .await?;
        write.commit().await?;
        match done.rows_affected() {
            0 => Err(in_progress()),
            _ => self.get(&request.order_id).await.map(Reserved::Known),
        }
    }

    /// What ran out is held at its old prices, because they may have been charged; another attempt
    /// begins anew.
    async fn hold_again(&self, request: &Request, was: &Reservation) -> Result<Reserved, Error> {
        let mut write = self.store.write().await?;
        let now = now_ms();
        let done = sqlx::query(
            "UPDATE reservations SET status = 'held', expires_at_ms = $4, updated_at_ms = $5, attempt = $6
             WHERE order_id = $1 AND status = $2 AND attempt = $3",
        )
        .bind(request.order_id.as_str())
        .bind(was.status.as_str())
        .bind(was.attempt.number())
        .bind(now + self.ttl_ms)
        .bind(now)
        .bind(request.attempt.number())
        .execute(&mut *write)
        .await?;
        if done.rows_affected() == 0 {
            return Err(in_progress());
        }
        let anew = request.attempt > was.attempt;
        if anew {
            forget(&mut write, &request.order_id).await?;
        }
        for line in request.items.lines() {
            match anew {
                true => hold(&mut write, &request.order_id, line).await?,
                false => drop(take(&mut write, line).await?),
            }
        }
        write.commit().await?;
        self.get(&request.order_id).await.map(Reserved::New)
    }
}

/// Whether the reservation was in `from`, made by this attempt or an earlier one, and is in `to` now.
async fn moves(
    write: &mut Write,
    order: &OrderId,
    attempt: Attempt,
    from: Status,
    to: Status,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "UPDATE reservations SET status = $3, updated_at_ms = $4
         WHERE order_id = $1 AND status = $2 AND attempt <= $5",
    )
    .bind(order.as_str())
    .bind(from.as_str())
    .bind(to.as_str())
    .bind(now_ms())
    .bind(attempt.number())
    .execute(&mut **write)
    .await?;
    Ok(done.rows_affected() == 1)
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

fn closed(reservation: &Reservation) -> Error {
    let (status, attempt) = (reservation.status.as_str(), reservation.attempt.number());
    let detail = format!("this reservation is {status} by attempt {attempt} of its order");
    Error::new(410, "reservation_closed", detail)
}

/// Not closed: the same attempt of the order can hold it again.
fn expired() -> Error {
    let detail = "this reservation ran out before it was confirmed; reserve again";
    Error::new(410, "reservation_expired", detail)
}

fn in_progress() -> Error {
    let detail = "somebody else is at this reservation; ask again";
    Error::unavailable("reservation_in_progress", detail)
}
