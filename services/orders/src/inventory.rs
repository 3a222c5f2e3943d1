//! Inventory, as orders sees it: reserve, confirm, release. One call each, never repeated here.

use crate::order::{Line, Lines, Order, OrderId, Quantity, Sku};
use crate::refusal::{Reason, Refusal};
use serde::{Deserialize, Serialize};
use upstream::call::Client;
use upstream::{Deadline, Origin};

/// The inventory service; stays on its worker.
pub struct Inventory {
    client: Client,
}

/// What is held for an order, and what it costs.
pub struct Held {
    pub items: Lines,
    pub total_cents: i64,
}

#[derive(Serialize)]
struct Request<'a> {
    order_id: &'a OrderId,
    items: Vec<Wanted<'a>>,
}

#[derive(Serialize)]
struct Wanted<'a> {
    sku: &'a Sku,
    quantity: Quantity,
}

/// Only what is used of the answer: it may grow.
#[derive(Deserialize)]
struct Reservation {
    items: Vec<Line>,
    total_cents: i64,
}

impl Inventory {
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Holds every line or none.
    pub async fn reserve(
        &self,
        order: &Order,
        deadline: Deadline,
    ) -> Result<Held, upstream::Error> {
        let lines = order.items.0.iter();
        let items = lines
            .map(|line| Wanted {
                sku: &line.sku,
                quantity: line.quantity,
            })
            .collect();
        let request = Request {
            order_id: &order.id,
            items,
        };
        let held: Reservation = self
            .client
            .post("/inventory/reservations")
            .idempotent()
            .deadline(deadline)
            .json(&request)
            .send()
            .await?;
        Ok(Held {
            items: Lines(held.items),
            total_cents: held.total_cents,
        })
    }

    /// The order is paid.
    pub async fn confirm(
        &self,
        order: &OrderId,
        deadline: Deadline,
    ) -> Result<(), upstream::Error> {
        let path = format!("/inventory/reservations/{}/confirm", order.as_str());
        self.client
            .post(&path)
            .idempotent()
            .deadline(deadline)
            .send_empty()
            .await
    }

    /// After this nothing is reserved, and nothing will be. Not bound to the client's deadline: it
    /// must be done even if nobody waits.
    pub async fn release(&self, order: &OrderId) -> Result<(), upstream::Error> {
        let path = format!("/inventory/reservations/{}", order.as_str());
        self.client.delete(&path).send_empty().await
    }

    /// What the client is told when reserving or confirming failed.
    pub fn refusal(failure: &upstream::Error) -> Refusal {
        let reason = match &*failure.code {
            "out_of_stock" => Reason::OutOfStock,
            "unknown_item" => Reason::UnknownItem,
            "reservation_closed" => Reason::OrderClosed,
            // The client's time, not the upstream's own: that one is slow.
            "deadline_exceeded" if failure.origin == Origin::Own => Reason::DeadlineExceeded,
            _ => Reason::InventoryUnavailable,
        };
        Refusal::new(reason, failure.detail.as_str())
    }
}
