//! All reservations and all stock, added up: what an audit holds against orders and payments.

use crate::reservation::Status;
use serde::Serialize;
use service::{Error, Store};
use utoipa::ToSchema;

/// Reads the whole store; changes nothing.
#[derive(Clone)]
pub struct Audit {
    store: Store,
}

/// Reservations by status, and the pieces of all items.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Stats {
    pub held: Sum,
    pub confirmed: Sum,
    pub released: Sum,
    pub expired: Sum,
    pub items: Items,
}

#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Sum {
    pub reservations: i64,
    pub pieces: i64,
    pub cents: i64,
}

#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Items {
    pub stock: i64,
    pub reserved: i64,
}

impl Audit {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    pub async fn stats(&self) -> Result<Stats, Error> {
        let rows: Vec<(String, i64, i64, i64)> = sqlx::query_as(
            "SELECT status, COUNT(DISTINCT reservations.order_id), CAST(COALESCE(SUM(quantity), 0) AS BIGINT),
                    CAST(COALESCE(SUM(quantity * unit_price_cents), 0) AS BIGINT)
             FROM reservations LEFT JOIN reservation_lines ON reservation_lines.order_id = reservations.order_id
             GROUP BY status",
        )
        .fetch_all(self.store.pool())
        .await?;
        let mut stats = Stats::default();
        for (status, reservations, pieces, cents) in rows {
            let sum = Sum {
                reservations,
                pieces,
                cents,
            };
            match Status::try_from(status).map_err(Error::internal)? {
                Status::Held => stats.held = sum,
                Status::Confirmed => stats.confirmed = sum,
                Status::Released => stats.released = sum,
                Status::Expired => stats.expired = sum,
            }
        }
        let (stock, reserved) = sqlx::query_as(
            "SELECT CAST(COALESCE(SUM(stock), 0) AS BIGINT), CAST(COALESCE(SUM(reserved), 0) AS BIGINT) FROM items",
        )
        .fetch_one(self.store.pool())
        .await?;
        stats.items = Items { stock, reserved };
        Ok(stats)
    }
}
