//! Orders, as recommendations sees it: what a user ordered lately. One call, never repeated.

use crate::user::UserId;
use serde::Deserialize;
use upstream::Deadline;
use upstream::call::Client;

/// The orders service; stays on its worker.
pub struct Orders {
    client: Client,
}

/// Only what is used of the answer: it may grow.
#[derive(Deserialize)]
struct Listing {
    items: Vec<Order>,
}

#[derive(Deserialize)]
struct Order {
    status: String,
    items: Vec<Line>,
}

#[derive(Deserialize)]
struct Line {
    sku: String,
}

/// The latest orders say enough about a taste.
const LATEST: usize = 10;
/// What was never delivered says nothing about a taste.
const NOT_TAKEN: [&str; 3] = ["rejected", "cancelling", "cancelled"];

impl Orders {
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// The items of the user's latest orders, each once.
    pub async fn ordered_by(
        &self,
        user: &UserId,
        deadline: Deadline,
    ) -> Result<Vec<String>, upstream::Error> {
        let path = format!("/orders/user/{}?limit={LATEST}", user.as_str());
        let listing: Listing = self.client.get(&path).deadline(deadline).send().await?;
        let taken = |order: &Order| !NOT_TAKEN.contains(&order.status.as_str());
        let lines = listing
            .items
            .into_iter()
            .filter(taken)
            .flat_map(|order| order.items);
        let mut skus: Vec<String> = lines.map(|line| line.sku).collect();
        skus.sort();
        skus.dedup();
        Ok(skus)
    }
}
