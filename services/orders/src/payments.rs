//! Payments, as orders sees it: charge and refund. One call each, never repeated here.

use crate::order::{Order, OrderId, UserId};
use crate::refusal::{Reason, Refusal};
use serde::{Deserialize, Serialize};
use upstream::call::Client;
use upstream::{Deadline, Origin};

/// The payments service; stays on its worker.
pub struct Payments {
    client: Client,
}

/// Only what is used of the answer: it may grow.
#[derive(Deserialize)]
pub struct Payment {
    pub id: String,
}

#[derive(Serialize)]
struct Charge<'a> {
    order_id: &'a OrderId,
    user_id: &'a UserId,
    amount_cents: i64,
}

impl Payments {
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Charges the order once, however often it is asked.
    pub async fn charge(
        &self,
        order: &Order,
        amount_cents: i64,
        deadline: Deadline,
    ) -> Result<Payment, upstream::Error> {
        let charge = Charge {
            order_id: &order.id,
            user_id: &order.user_id,
            amount_cents,
        };
        self.client
            .post("/payments")
            .idempotent()
            .deadline(deadline)
            .json(&charge)
            .send()
            .await
    }

    /// After this the order is not charged and will not be. Named by the order, because the answer
    /// with the payment's id may never have come. Not bound to the client's deadline: it must be
    /// done even if nobody waits.
    pub async fn refund(&self, order: &OrderId) -> Result<(), upstream::Error> {
        let path = format!("/payments/{}/refund", order.as_str());
        self.client.post(&path).idempotent().send_empty().await
    }

    /// What the client is told when charging failed.
    pub fn refusal(failure: &upstream::Error) -> Refusal {
        let reason = match &*failure.code {
            "payment_declined" => Reason::PaymentDeclined,
            "payment_closed" => Reason::OrderClosed,
            // The client's time, not the upstream's own: that one is slow.
            "deadline_exceeded" if failure.origin == Origin::Own => Reason::DeadlineExceeded,
            _ => Reason::PaymentsUnavailable,
        };
        Refusal::new(reason, failure.detail.as_str())
    }
}
