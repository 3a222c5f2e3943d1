//! The last known stock: what inventory said when it last said something.
//!
//! It lives in the store, so that a restarted or another instance knows it too, and each pending
//! order is counted in it once, in the transaction that accepts it: two instances together cannot
//! promise more than was last known. It is a promise of orders, not of inventory, which has the last
//! word. Who asks inventory, and how often, is `refresh.rs`.

use crate::clock::now_ms;
use crate::order::{Line, Lines, Order, Sku};
use crate::refusal::{Reason, Refusal};
use crate::status::Status;
use service::{Error, Store, Write};
use std::collections::HashMap;

/// The copy in this store.
#[derive(Clone)]
pub struct KnownStock {
    store: Store,
}

/// An item, as inventory tells.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct Item {
    pub sku: Sku,
    pub price_cents: i64,
    pub available: i64,
}

/// What the last known stock says about a basket.
pub enum Known {
    /// Promised, at these prices.
    Enough {
        items: Lines,
        total_cents: i64,
    },
    Not(Refusal),
}

impl KnownStock {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Milliseconds since inventory was last heard; none if never.
    pub async fn age_ms(&self) -> Result<Option<i64>, Error> {
        let seen: Option<(i64,)> = sqlx::query_as("SELECT at_ms FROM known_stock_seen")
            .fetch_optional(self.store.pool())
            .await?;
        Ok(seen.map(|(at_ms,)| now_ms().saturating_sub(at_ms).max(0)))
    }

    /// Remembers what inventory said at `asked_at_ms`; writes only what is new.
    pub async fn learn(&self, items: &[Item], asked_at_ms: i64) -> Result<(), Error> {
        let known: Vec<(String, i64, i64)> =
            sqlx::query_as("SELECT sku, price_cents, available FROM known_stock")
                .fetch_all(self.store.pool())
                .await?;
        let known: HashMap<String, (i64, i64)> = known
            .into_iter()
            .map(|(sku, price, available)| (sku, (price, available)))
            .collect();
        let new = items.iter().filter(|item| {
            known.get(item.sku.as_str()) != Some(&(item.price_cents, item.available))
        });
        let mut write = self.store.write().await?;
        for item in new {
            sqlx::query(
                "INSERT INTO known_stock (sku, price_cents, available) VALUES ($1, $2, $3)
                 ON CONFLICT (sku) DO UPDATE SET price_cents = excluded.price_cents, available = excluded.available",
            )
            .bind(item.sku.as_str())
            .bind(item.price_cents)
            .bind(item.available)
            .execute(&mut *write)
            .await?;
        }
        sqlx::query(
            "INSERT INTO known_stock_seen (id, at_ms) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET at_ms = excluded.at_ms",
        )
        .bind(asked_at_ms)
        .execute(&mut *write)
        .await?;
        write.commit().await?;
        Ok(())
    }
}

/// Counts the lines as pending if all of them can be had; else the transaction must be dropped.
pub async fn promise(write: &mut Write, lines: &Lines, heard_since: i64) -> Result<Known, Error> {
    let heard: Option<(i64,)> =
        sqlx::query_as("SELECT at_ms FROM known_stock_seen WHERE at_ms >= $1")
            .bind(heard_since)
            .fetch_optional(&mut **write)
            .await?;
    if heard.is_none() {
        return Ok(unknown("inventory is away and was not heard of lately"));
    }
    let (mut items, mut total_cents) = (Vec::with_capacity(lines.0.len()), 0_i64);
    for line in &lines.0 {
        let price: Option<(i64,)> = sqlx::query_as(
            "UPDATE known_stock SET pending = pending + $2 WHERE sku = $1 AND available - pending >= $2
             RETURNING price_cents",
        )
        .bind(line.sku.as_str())
        .bind(line.quantity.pieces())
        .fetch_optional(&mut **write)
        .await?;
        let Some((price,)) = price else {
            return missing(write, &line.sku).await;
        };
        items.push(Line {
            unit_price_cents: Some(price),
            ..line.clone()
        });
        total_cents = total_cents.saturating_add(price.saturating_mul(line.quantity.pieces()));
    }
    let items = Lines(items);
    Ok(Known::Enough { items, total_cents })
}

/// Counts pieces that inventory holds for an order that it could not be asked to let go of.
pub async fn count_as_pending(write: &mut Write, lines: &Lines) -> Result<(), Error> {
    for line in &lines.0 {
        sqlx::query("UPDATE known_stock SET pending = pending + $2 WHERE sku = $1")
            .bind(line.sku.as_str())
            .bind(line.quantity.pieces())
            .execute(&mut **write)
            .await?;
    }
    Ok(())
}

/// An order that was pending, as it is given here, is so no longer.
pub async fn no_longer_pending(write: &mut Write, order: &Order) -> Result<(), Error> {
    if order.status != Status::PendingInventoryCheck {
        return Ok(());
    }
    for line in &order.items.0 {
        sqlx::query(
            "UPDATE known_stock SET pending = CASE WHEN pending > $2 THEN pending - $2 ELSE 0 END WHERE sku = $1",
        )
        .bind(line.sku.as_str())
        .bind(line.quantity.pieces())
        .execute(&mut **write)
        .await?;
    }
    Ok(())
}

async fn missing(write: &mut Write, sku: &Sku) -> Result<Known, Error> {
    let left: Option<(i64,)> =
        sqlx::query_as("SELECT available - pending FROM known_stock WHERE sku = $1")
            .bind(sku.as_str())
            .fetch_optional(&mut **write)
            .await?;
    let sku = sku.as_str();
    Ok(match left {
        None => unknown(format!("inventory is away and never spoke of {sku}")),
        Some((left,)) => Known::Not(Refusal::new(
            Reason::OutOfStock,
            format!(
                "by the last known stock {} of {sku} can be had",
                left.max(0)
            ),
        )),
    })
}

fn unknown(detail: impl Into<String>) -> Known {
    Known::Not(Refusal::new(Reason::StockUnknown, detail))
}
