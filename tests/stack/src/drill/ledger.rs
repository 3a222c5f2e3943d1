//! How often each order was placed: the orders' own list, read to its end, by who bought.
//!
//! Each order of a load has a buyer of its own (`Buyers`), so two orders of one buyer are one order placed twice.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::client::Client;
use crate::error::Error;

/// A page as large as the API gives.
const PAGE: usize = 100;

/// The orders of each buyer.
#[derive(Clone, Debug, Default)]
pub struct Ledger(BTreeMap<String, Vec<Entry>>);

/// One order, as its service knows it.
#[derive(Clone, Debug)]
pub struct Entry {
    pub id: String,
    pub status: String,
    pub cents: i64,
}

impl Ledger {
    pub async fn read(client: &Client) -> Result<Self, Error> {
        let mut ledger = Self::default();
        let mut after = String::new();
        loop {
            let path = format!("/api/orders?limit={PAGE}{after}");
            let page = page(client, &path).await?;
            for order in page["items"].as_array().into_iter().flatten() {
                let text = |field: &str| order[field].as_str().unwrap_or_default().to_owned();
                let entry = Entry {
                    id: text("id"),
                    status: text("status"),
                    cents: order["total_cents"].as_i64().unwrap_or_default(),
                };
                ledger.0.entry(text("user_id")).or_default().push(entry);
            }
            match page["after"].as_str() {
                Some(last) => after = format!("&after={last}"),
                None => return Ok(ledger),
            }
        }
    }

    pub fn of(&self, buyer: &str) -> &[Entry] {
        self.0.get(buyer).map_or(&[], Vec::as_slice)
    }

    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.0.values().flatten()
    }

    /// Orders by status.
    pub fn by_status(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for entry in self.entries() {
            *counts.entry(entry.status.as_str()).or_default() += 1;
        }
        counts
    }
}

/// One page; a list that cannot be read a few times in a row is told.
async fn page(client: &Client, path: &str) -> Result<Value, Error> {
    const TRIES: u32 = 5;
    let mut last = String::new();
    for _ in 0..TRIES {
        match client.get(path).await {
            Ok(answer) if answer.status == 200 => return Ok(answer.json()),
            Ok(answer) => last = format!("{} {}", answer.status, answer.text()),
            Err(failure) => last = failure.to_string(),
        }
    }
    Err(Error::Other(format!("GET {path}: {last}")))
}
