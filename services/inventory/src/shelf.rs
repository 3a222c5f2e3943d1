//! The items' table: looking and restocking. Who takes pieces away is `ledger.rs`.

use crate::clock::now_ms;
use crate::item::{Item, ItemUpdate, Sku};
use service::input::Page;
use service::output::Listing;
use service::{Error, Store};

/// The items of this store.
#[derive(Clone)]
pub struct Shelf {
    store: Store,
}

impl Shelf {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Items in the order of their SKUs.
    pub async fn page(&self, page: &Page) -> Result<Listing<Item>, Error> {
        let after = page
            .after()
            .map(|sku| Sku::try_from(sku.to_owned()))
            .transpose();
        let after = after.map_err(|reason| Error::invalid("after", reason))?;
        // One row more than asked for tells whether there is a next page.
        let mut items: Vec<Item> = sqlx::query_as(
            "SELECT sku, name, price_cents, stock, reserved, stock - reserved AS available, updated_at_ms
             FROM items WHERE sku > $1 ORDER BY sku LIMIT $2",
        )
        .bind(after.as_ref().map_or("", Sku::as_str))
        .bind(page.limit() + 1)
        .fetch_all(self.store.pool())
        .await?;
        let total = sqlx::query_scalar("SELECT COUNT(*) FROM items")
            .fetch_one(self.store.pool())
            .await?;
        let more = items.len() as i64 > page.limit();
        items.truncate(page.limit() as usize);
        let after = items
            .last()
            .filter(|_| more)
            .map(|item| item.sku.as_str().to_owned());
        Ok(Listing {
            items,
            total,
            after,
        })
    }

    /// # Errors
    /// 404 `not_found`.
    pub async fn get(&self, sku: &Sku) -> Result<Item, Error> {
        sqlx::query_as(
            "SELECT sku, name, price_cents, stock, reserved, stock - reserved AS available, updated_at_ms
             FROM items WHERE sku = $1",
        )
        .bind(sku.as_str())
        .fetch_optional(self.store.pool())
        .await?
        .ok_or_else(|| Error::not_found("item", sku.as_str()))
    }

    /// Makes or replaces an item. What is reserved stays reserved.
    ///
    /// # Errors
    /// 409 `stock_below_reserved`.
    pub async fn put(&self, sku: &Sku, update: &ItemUpdate) -> Result<Item, Error> {
        let mut write = self.store.write().await?;
        let item = sqlx::query_as(
            "INSERT INTO items (sku, name, price_cents, stock, reserved, updated_at_ms)
             VALUES ($1, $2, $3, $4, 0, $5)
             ON CONFLICT (sku) DO UPDATE SET name = excluded.name, price_cents = excluded.price_cents,
                 stock = excluded.stock, updated_at_ms = excluded.updated_at_ms
                 WHERE items.reserved <= excluded.stock
             RETURNING sku, name, price_cents, stock, reserved, stock - reserved AS available, updated_at_ms",
        )
        .bind(sku.as_str())
        .bind(update.name.as_str())
        .bind(update.price_cents.cents())
        .bind(update.stock.pieces())
        .bind(now_ms())
        .fetch_optional(&mut *write)
        .await?;
        write.commit().await?;
        item.ok_or_else(|| {
            Error::conflict("stock_below_reserved", "more than that is reserved").field("stock")
        })
    }
}
