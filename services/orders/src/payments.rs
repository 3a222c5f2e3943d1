//! Payments, as orders sees it: charge and refund. One call each, never repeated here.

use crate::inventory::is_a_no;
use crate::order::{Order, OrderId, UserId};
use crate::pace::Pace;
use crate::refusal::{Reason, Refusal};
use serde::{Deserialize, Serialize};
use upstream::Origin;
use upstream::call::Client;

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
    attempt: i64,
    user_id: &'a UserId,
    amount_cents: i64,
}

impl Payments {
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Charges this attempt of the order once, however often it is asked.
    pub async fn charge(
        &self,
        order: &Order,
        amount_cents: i64,
        pace: Pace,
    ) -> Result<Payment, upstream::Error> {
        let charge = Charge {
            order_id: &order.id,
            attempt: order.attempt,
            user_id: &order.user_id,
            amount_cents,
        };
        let call = self.client.post("/payments").idempotent();
        pace.of(call.json(&charge)).send().await
    }

    /// After this the order is not charged by this attempt, and will not be. Named by the order,
    /// because the answer with the payment's id may never have come.
    pub async fn refund(&self, order: &Order, pace: Pace) -> Result<(), upstream::Error> {
        let (id, attempt) = (order.id.as_str(), order.attempt);
        let path = format!("/payments/{id}/refund?attempt={attempt}");
        pace.of(self.client.post(&path).idempotent())
            .send_empty()
            .await
    }

    /// What the client is told when charging failed.
    pub fn refusal(failure: &upstream::Error) -> Refusal {
        let reason = match &*failure.code {
            "payment_declined" => Reason::PaymentDeclined,
            "payment_closed" => Reason::OrderClosed,
            // The client's time, not the upstream's own: that one is slow.
            "deadline_exceeded" if failure.origin == Origin::Own => Reason::DeadlineExceeded,
            _ if is_a_no(failure) => Reason::OrderClosed,
            _ => Reason::PaymentsUnavailable,
        };
        Refusal::new(reason, failure.detail.as_str())
    }
}
