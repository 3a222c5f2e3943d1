//! Charging and refunding, each at most once for an order.
//!
//! The table's UNIQUE decides who charged first; everybody else reads what was done. An order that
//! is called off leaves a row even if it was never charged, so that a charge which arrives late is
//! refused. There is no bank: an amount above the configured one is declined.

use crate::clock::now_ms;
use crate::payment::{Charge, Payment, PaymentId, Reference, Status};
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
    /// 402 `payment_declined`, 410 `payment_closed` (refunded or voided), 422 `payment_mismatch`
    /// (the order was charged another amount or another user).
    pub async fn charge(&self, charge: &Charge) -> Result<Charged, Error> {
        if charge.amount_cents.cents() > self.decline_above_cents {
            return Err(
                Error::new(402, "payment_declined", "the amount is above the limit")
                    .field("amount_cents"),
            );
        }
        let made: Option<Payment> = sqlx::query_as(
            "INSERT INTO payments (id, order_id, user_id, amount_cents, status, created_at_ms, updated_at_ms)
             VALUES ($1, $2, $3, $4, 'captured', $5, $5) ON CONFLICT (order_id) DO NOTHING
             RETURNING id, order_id, user_id, amount_cents, status, created_at_ms, updated_at_ms",
        )
        .bind(PaymentId::random().as_str())
        .bind(charge.order_id.as_str())
        .bind(charge.user_id.as_str())
        .bind(charge.amount_cents.cents())
        .bind(now_ms())
        .fetch_optional(self.store.pool())
        .await?;
        match made {
            Some(payment) => Ok(Charged::Now(payment)),
            None => self.charged_before(charge).await.map(Charged::Before),
        }
    }

    /// # Errors
    /// 404 `not_found`.
    pub async fn get(&self, reference: &Reference) -> Result<Payment, Error> {
        let query = match reference {
            Reference::Payment(_) => {
                "SELECT id, order_id, user_id, amount_cents, status, created_at_ms, updated_at_ms FROM payments WHERE id = $1"
            }
            Reference::Order(_) => {
                "SELECT id, order_id, user_id, amount_cents, status, created_at_ms, updated_at_ms FROM payments WHERE order_id = $1"
            }
        };
        sqlx::query_as(query)
            .bind(reference.as_str())
            .fetch_optional(self.store.pool())
            .await?
            .ok_or_else(|| Error::not_found("payment", reference.as_str()))
    }

    /// After this the order is not charged and will not be. Again is the same.
    ///
    /// # Errors
    /// 404 `not_found` for a payment that is not there; an order that was never charged is voided.
    pub async fn refund(&self, reference: &Reference) -> Result<Payment, Error> {
        if let Reference::Order(order) = reference {
            sqlx::query(
                "INSERT INTO payments (id, order_id, user_id, amount_cents, status, created_at_ms, updated_at_ms)
                 VALUES ($1, $2, NULL, 0, 'voided', $3, $3) ON CONFLICT (order_id) DO NOTHING",
            )
            .bind(PaymentId::random().as_str())
            .bind(order.as_str())
            .bind(now_ms())
            .execute(self.store.pool())
            .await?;
        }
        let query = match reference {
            Reference::Payment(_) => {
                "UPDATE payments SET status = 'refunded', updated_at_ms = $2 WHERE id = $1 AND status = 'captured'"
            }
            Reference::Order(_) => {
                "UPDATE payments SET status = 'refunded', updated_at_ms = $2 WHERE order_id = $1 AND status = 'captured'"
            }
        };
        sqlx::query(query)
            .bind(reference.as_str())
            .bind(now_ms())
            .execute(self.store.pool())
            .await?;
        self.get(reference).await
    }

    async fn charged_before(&self, charge: &Charge) -> Result<Payment, Error> {
        let payment = self.get(&Reference::Order(charge.order_id.clone())).await?;
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
