//! Inventory, as orders sees it: reserve, confirm, release, and what there is. One call each, never
//! repeated here.

use crate::order::{Line, Lines, Order, OrderId, Quantity, Sku};
use crate::pace::Pace;
use crate::refusal::{Reason, Refusal};
use crate::stock::Item;
use serde::{Deserialize, Serialize};
use upstream::Origin;
use upstream::call::Client;

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
    attempt: i64,
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

/// Some items, and after which one there are more.
#[derive(Deserialize)]
pub struct Page {
    pub items: Vec<Item>,
    pub after: Option<Sku>,
}

/// The most that inventory gives at once.
const PAGE: usize = 100;

impl Inventory {
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Holds every line or none.
    pub async fn reserve(&self, order: &Order, pace: Pace) -> Result<Held, upstream::Error> {
        let lines = order.items.0.iter();
        let items = lines
            .map(|line| Wanted {
                sku: &line.sku,
                quantity: line.quantity,
            })
            .collect();
        let request = Request {
            order_id: &order.id,
            attempt: order.attempt,
            items,
        };
        let call = self.client.post("/inventory/reservations").idempotent();
        let held: Reservation = pace.of(call.json(&request)).send().await?;
        Ok(Held {
            items: Lines(held.items),
            total_cents: held.total_cents,
        })
    }

    /// The order is paid.
    pub async fn confirm(&self, order: &Order, pace: Pace) -> Result<(), upstream::Error> {
        let (id, attempt) = (order.id.as_str(), order.attempt);
        let path = format!("/inventory/reservations/{id}/confirm?attempt={attempt}");
        pace.of(self.client.post(&path).idempotent())
            .send_empty()
            .await
    }

    /// After this nothing is reserved by this attempt, and nothing will be.
    pub async fn release(&self, order: &Order, pace: Pace) -> Result<(), upstream::Error> {
        let (id, attempt) = (order.id.as_str(), order.attempt);
        let path = format!("/inventory/reservations/{id}?attempt={attempt}");
        pace.of(self.client.delete(&path)).send_empty().await
    }

    /// A page of what there is.
    pub async fn items(&self, after: Option<&Sku>, pace: Pace) -> Result<Page, upstream::Error> {
        let after = after.map_or_else(String::new, |sku| format!("&after={}", sku.as_str()));
        let path = format!("/inventory/items?limit={PAGE}{after}");
        pace.of(self.client.get(&path)).send().await
    }

    /// What it means for an order that reserving or confirming failed. No answer, too much to do and
    /// a reservation that is not there or ran out may pass: reserving again holds it anew, or says that
    /// the pieces are gone. Any other no is one.
    pub fn refusal(failure: &upstream::Error) -> Refusal {
        let reason = match &*failure.code {
            "out_of_stock" => Reason::OutOfStock,
            "unknown_item" => Reason::UnknownItem,
            "reservation_closed" => Reason::OrderClosed,
            // The client's time, not the upstream's own: that one is slow.
            "deadline_exceeded" if failure.origin == Origin::Own => Reason::DeadlineExceeded,
            "not_found" | "reservation_expired" => Reason::InventoryUnavailable,
            _ if is_a_no(failure) => Reason::OrderClosed,
            _ => Reason::InventoryUnavailable,
        };
        Refusal::new(reason, failure.detail.as_str())
    }
}

/// The peer understood, and will say the same again.
pub fn is_a_no(failure: &upstream::Error) -> bool {
    let told = failure.origin == Origin::Upstream && (400..500).contains(&failure.status);
    told && ![408, 429].contains(&failure.status)
}
