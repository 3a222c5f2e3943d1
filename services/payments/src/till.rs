//! Charging and refunding, each at most once for an attempt of an order.
//!
//! The table's UNIQUE decides who charged first; everybody else reads what was done. An attempt that
//! is called off leaves a row even if it was never charged, so that a charge which arrives late is
//! refused. Of all attempts of an order one at most is captured: an index says so. There is no bank:
//! an amount above the configured one is declined.

use crate::clock::now_ms;
use crate::payment::{Attempt, Charge, OrderId, Payment, PaymentId, Reference, Stats, Status, Sum};
use service::{Error, Store};

/// The payments of this store.
#[derive(Clone)]
pub struct Till {
    store: Store,
    decline_above_cents: i64,
}

/// Whether an order was charged now or before.
pub enum Charged {
    Now(Payment),
    Before(Payment),
}

impl Till {
    pub fn new(store: Store, decline_above_cents: i64) -> Self {
        Self {
            store,
            decline_above_cents,
        }
    }

    /// # Errors
    /// 402 `payment_declined`, 410 `payment_closed` (refunded or voided, or another attempt is
    /// charged), 422 `payment_mismatch` (it was charged another amount or another user).
    pub async fn charge(&self, charge: &Charge) -> Result<Charged, Error> {
        if charge.amount_cents.cents() > self.decline_above_cents {
            return Err(
                Error::new(402, "payment_declined", "the amount is above the limit")
                    .field("amount_cents"),
            );
        }
        let mut write = self.store.write().await?;
        let made: Option<Payment> = sqlx::query_as(
            "INSERT INTO payments (id, order_id, attempt, user_id, amount_cents, status, created_at_ms, updated_at_ms)
             VALUES ($1, $2, $3, $4, $5, 'captured', $6, $6) ON CONFLICT DO NOTHING
             RETURNING id, order_id, attempt, user_id, amount_cents, status, created_at_ms, updated_at_ms",
        )
        .bind(PaymentId::random().as_str())
        .bind(charge.order_id.as_str())
        .bind(charge.attempt.number())
        .bind(charge.user_id.as_str())
        .bind(charge.amount_cents.cents())
        .bind(now_ms())
        .fetch_optional(&mut *write)
        .await?;
        write.commit().await?;
        match made {
            Some(payment) => Ok(Charged::Now(payment)),
            None => self.charged_before(charge).await.map(Charged::Before),
        }
    }

    /// An order's latest attempt.
    ///
    /// # Errors
    /// 404 `not_found`.
    pub async fn get(&self, reference: &Reference) -> Result<Payment, Error> {
        let query = match reference {
            Reference::Payment(_) => {
                "SELECT id, order_id, attempt, user_id, amount_cents, status, created_at_ms, updated_at_ms FROM payments WHERE id = $1"
            }
            Reference::Order(_) => {
                "SELECT id, order_id, attempt, user_id, amount_cents, status, created_at_ms, updated_at_ms FROM payments
                 WHERE order_id = $1 ORDER BY attempt DESC LIMIT 1"
            }
        };
        sqlx::query_as(query)
            .bind(reference.as_str())
            .fetch_optional(self.store.pool())
            .await?
            .ok_or_else(|| Error::not_found("payment", reference.as_str()))
    }

    /// After this the order is not charged and will not be, by this attempt or an earlier one. Again
    /// is the same.
    ///
    /// # Errors
    /// 404 `not_found` for a payment that is not there; an order that was never charged is voided.
    pub async fn refund(
        &self,
        reference: &Reference,
        attempt: Option<Attempt>,
    ) -> Result<Payment, Error> {
        match reference {
            Reference::Payment(id) => self.give_back(id).await?,
            Reference::Order(order) => self.call_off(order, attempt).await?,
        }
        self.get(reference).await
    }

    /// Counts and sums, by status.
    pub async fn stats(&self) -> Result<Stats, Error> {
        let rows: Vec<(String, i64, i64)> = sqlx::query_as(
            "SELECT status, COUNT(*), CAST(SUM(amount_cents) AS BIGINT) FROM payments GROUP BY status",
        )
        .fetch_all(self.store.pool())
        .await?;
        let mut stats = Stats::default();
        for (status, payments, cents) in rows {
            let sum = Sum { payments, cents };
            match Status::try_from(status).map_err(Error::internal)? {
                Status::Captured => stats.captured = sum,
                Status::Refunded => stats.refunded = sum,
                Status::Voided => stats.voided = sum,
            }
        }
        Ok(stats)
    }

    async fn give_back(&self, id: &PaymentId) -> Result<(), Error> {
        let mut write = self.store.write().await?;
        sqlx::query(
            "UPDATE payments SET status = 'refunded', updated_at_ms = $2 WHERE id = $1 AND status = 'captured'",
        )
        .bind(id.as_str())
        .bind(now_ms())
        .execute(&mut *write)
        .await?;
        write.commit().await?;
        Ok(())
    }

    async fn call_off(&self, order: &OrderId, attempt: Option<Attempt>) -> Result<(), Error> {
        let attempt = match attempt {
            Some(attempt) => attempt.number(),
            None => {
                sqlx::query_scalar(
                    "SELECT COALESCE(MAX(attempt), 1) FROM payments WHERE order_id = $1",
                )
                .bind(order.as_str())
                .fetch_one(self.store.pool())
                .await?
            }
        };
        let mut write = self.store.write().await?;
        sqlx::query(
            "INSERT INTO payments (id, order_id, attempt, user_id, amount_cents, status, created_at_ms, updated_at_ms)
             VALUES ($1, $2, $3, NULL, 0, 'voided', $4, $4) ON CONFLICT (order_id, attempt) DO NOTHING",
        )
        .bind(PaymentId::random().as_str())
        .bind(order.as_str())
        .bind(attempt)
        .bind(now_ms())
        .execute(&mut *write)
        .await?;
        sqlx::query(
            "UPDATE payments SET status = 'refunded', updated_at_ms = $3
             WHERE order_id = $1 AND attempt <= $2 AND status = 'captured'",
        )
        .bind(order.as_str())
        .bind(attempt)
        .bind(now_ms())
        .execute(&mut *write)
        .await?;
        write.commit().await?;
        Ok(())
    }

    async fn charged_before(&self, charge: &Charge) -> Result<Payment, Error> {
        let payment: Option<Payment> = sqlx::query_as(
            "SELECT id, order_id, attempt, user_id, amount_cents, status, created_at_ms, updated_at_ms FROM payments
             WHERE order_id = $1 AND attempt = $2",
        )
        .bind(charge.order_id.as_str())
        .bind(charge.attempt.number())
        .fetch_optional(self.store.pool())
        .await?;
        let Some(payment) = payment else {
            let detail = "another attempt of this order is charged";
            return Err(Error::new(410, "payment_closed", detail));
        };
        match payment.status {
            Status::Refunded | Status::Voided => {
                let detail = format!("the payment of this order is {}", payment.status.as_str());
                Err(Error::new(410, "payment_closed", detail))
            }
            Status::Captured if payment.amount_cents != charge.amount_cents.cents() => Err(
                Error::unprocessable("payment_mismatch", "this order was charged another amount")
                    .field("amount_cents"),
            ),
            Status::Captured if payment.user_id.as_deref() != Some(charge.user_id.as_str()) => {
                Err(Error::unprocessable(
                    "payment_mismatch",
                    "another user was charged for this order",
                )
                .field("user_id"))
            }
            Status::Captured => Ok(payment),
        }
    }
}
