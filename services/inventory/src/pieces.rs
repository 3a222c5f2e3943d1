//! The one place where pieces change hands, inside a transaction of the ledger.
//!
//! No count is read and written back: a piece is taken by an `UPDATE` that has the condition in its
//! `WHERE`. Rows are locked in the order of their SKUs, so that two orders never wait for each other.

use crate::clock::now_ms;
use crate::item::Sku;
use crate::reservation::{OrderId, WantedLine};
use service::{Error, Write};
use std::collections::BTreeMap;

/// What happens to the pieces of an order after they were held.
#[derive(Debug, Clone, Copy)]
pub enum Change {
    /// Held pieces leave the house.
    LetGo,
    /// Held pieces are available again.
    GiveBack,
    /// Pieces that left come back into the house.
    TakeBackIn,
}

/// There are fewer pieces than somebody wants; more may be given back.
pub const OUT_OF_STOCK: &str = "out_of_stock";

impl Change {
    fn sql(self) -> &'static str {
        match self {
            Self::LetGo => {
                "UPDATE items SET stock = stock - $2, reserved = reserved - $2, updated_at_ms = $3 WHERE sku = $1"
            }
            Self::GiveBack => {
                "UPDATE items SET reserved = reserved - $2, updated_at_ms = $3 WHERE sku = $1"
            }
            Self::TakeBackIn => {
                "UPDATE items SET stock = stock + $2, updated_at_ms = $3 WHERE sku = $1"
            }
        }
    }
}

/// Holds one line for an order, at the price of this moment.
///
/// # Errors
/// 409 `out_of_stock`, 422 `unknown_item`.
pub async fn hold(write: &mut Write, order: &OrderId, line: &WantedLine) -> Result<(), Error> {
    let price = take(write, line).await?;
    sqlx::query("INSERT INTO reservation_lines (order_id, sku, quantity, unit_price_cents) VALUES ($1, $2, $3, $4)")
        .bind(order.as_str())
        .bind(line.sku.as_str())
        .bind(line.quantity.pieces())
        .bind(price)
        .execute(&mut **write)
        .await?;
    Ok(())
}

/// Changes every line of an order.
pub async fn change(write: &mut Write, order: &OrderId, change: Change) -> Result<(), Error> {
    let mut lines = lines_of(write, order).await?;
    // Here and not in SQL: databases differ in how they sort text.
    lines.sort();
    for (sku, quantity) in lines {
        move_pieces(write, &sku, quantity, change).await?;
    }
    Ok(())
}

/// The held pieces of all these orders are available again: one change for each item, so that a batch
/// locks its rows in the order of their SKUs, like everybody.
pub async fn give_back(write: &mut Write, orders: &[OrderId]) -> Result<(), Error> {
    let mut pieces: BTreeMap<String, i64> = BTreeMap::new();
    for order in orders {
        for (sku, quantity) in lines_of(write, order).await? {
            *pieces.entry(sku).or_default() += quantity;
        }
    }
    for (sku, quantity) in pieces {
        move_pieces(write, &sku, quantity, Change::GiveBack).await?;
    }
    Ok(())
}

async fn lines_of(write: &mut Write, order: &OrderId) -> Result<Vec<(String, i64)>, Error> {
    let lines = sqlx::query_as("SELECT sku, quantity FROM reservation_lines WHERE order_id = $1")
        .bind(order.as_str())
        .fetch_all(&mut **write)
        .await?;
    Ok(lines)
}

async fn move_pieces(
    write: &mut Write,
    sku: &str,
    quantity: i64,
    change: Change,
) -> Result<(), Error> {
    sqlx::query(change.sql())
        .bind(sku)
        .bind(quantity)
        .bind(now_ms())
        .execute(&mut **write)
        .await?;
    Ok(())
}

/// The lines of an earlier attempt are of no interest any more.
pub async fn forget(write: &mut Write, order: &OrderId) -> Result<(), Error> {
    sqlx::query("DELETE FROM reservation_lines WHERE order_id = $1")
        .bind(order.as_str())
        .execute(&mut **write)
        .await?;
    Ok(())
}

/// Takes the pieces of one line if they are there; answers the price of one.
///
/// # Errors
/// 409 `out_of_stock`, 422 `unknown_item`.
pub async fn take(write: &mut Write, line: &WantedLine) -> Result<i64, Error> {
    let price = sqlx::query_scalar(
        "UPDATE items SET reserved = reserved + $2, updated_at_ms = $3
         WHERE sku = $1 AND stock - reserved >= $2 RETURNING price_cents",
    )
    .bind(line.sku.as_str())
    .bind(line.quantity.pieces())
    .bind(now_ms())
    .fetch_optional(&mut **write)
    .await?;
    match price {
        Some(price) => Ok(price),
        None => Err(missing(write, &line.sku).await?),
    }
}

async fn missing(write: &mut Write, sku: &Sku) -> Result<Error, Error> {
    let available: Option<i64> =
        sqlx::query_scalar("SELECT stock - reserved FROM items WHERE sku = $1")
            .bind(sku.as_str())
            .fetch_optional(&mut **write)
            .await?;
    let sku = sku.as_str();
    Ok(match available {
        Some(left) => {
            Error::conflict(OUT_OF_STOCK, format!("{left} of {sku} can be had")).field("items")
        }
        None => {
            Error::unprocessable("unknown_item", format!("there is no item {sku}")).field("items")
        }
    })
}
