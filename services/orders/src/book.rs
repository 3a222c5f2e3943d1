//! The orders' table, to look at: one order, pages of them, sums. Who may change an order is
//! `claim.rs`, what becomes of it `settle.rs`; only what a client moves on is moved here, by an
//! `UPDATE` that names the status it comes from.

use crate::clock::now_ms;
use crate::order::{Order, OrderId, Stats, Sum, Unsettled, UserId};
use crate::status::Status;
use service::input::Page;
use service::output::Listing;
use service::{Error, Store};

/// The orders of this store.
#[derive(Clone)]
pub struct Book {
    store: Store,
}

/// A list that goes from the newest to the oldest starts above every id: the letter after the last
/// hexadecimal digit, in every collation.
const ABOVE_ALL: &str = "ord_g";

impl Book {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// # Errors
    /// 404 `not_found`.
    pub async fn get(&self, id: &OrderId) -> Result<Order, Error> {
        sqlx::query_as(
            "SELECT id, user_id, status, reason, detail, items, total_cents, payment_id, created_at_ms, updated_at_ms,
                    attempt, due_at_ms, tries
             FROM orders WHERE id = $1",
        )
        .bind(id.as_str())
        .fetch_optional(self.store.pool())
        .await?
        .ok_or_else(|| Error::not_found("order", id.as_str()))
    }

    /// The newest first.
    pub async fn page(&self, page: &Page) -> Result<Listing<Order>, Error> {
        let orders = sqlx::query_as(
            "SELECT id, user_id, status, reason, detail, items, total_cents, payment_id, created_at_ms, updated_at_ms,
                    attempt, due_at_ms, tries
             FROM orders WHERE id < $1 ORDER BY id DESC LIMIT $2",
        )
        .bind(before(page)?)
        .bind(page.limit() + 1)
        .fetch_all(self.store.pool())
        .await?;
        let total = sqlx::query_scalar("SELECT COUNT(*) FROM orders")
            .fetch_one(self.store.pool())
            .await?;
        Ok(listing(orders, page, total))
    }

    /// The newest first. A user who never ordered has an empty list: users are not known here.
    pub async fn page_of(&self, user: &UserId, page: &Page) -> Result<Listing<Order>, Error> {
        let orders = sqlx::query_as(
            "SELECT id, user_id, status, reason, detail, items, total_cents, payment_id, created_at_ms, updated_at_ms,
                    attempt, due_at_ms, tries
             FROM orders WHERE user_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        )
        .bind(user.as_str())
        .bind(before(page)?)
        .bind(page.limit() + 1)
        .fetch_all(self.store.pool())
        .await?;
        let total = sqlx::query_scalar("SELECT COUNT(*) FROM orders WHERE user_id = $1")
            .bind(user.as_str())
            .fetch_one(self.store.pool())
            .await?;
        Ok(listing(orders, page, total))
    }

    pub async fn stats(&self) -> Result<Stats, Error> {
        let rows: Vec<(String, i64, i64)> = sqlx::query_as(
            "SELECT status, COUNT(*), CAST(SUM(total_cents) AS BIGINT) FROM orders GROUP BY status",
        )
        .fetch_all(self.store.pool())
        .await?;
        let mut stats = Stats::default();
        for (status, orders, cents) in rows {
            let status = Status::try_from(status).map_err(Error::internal)?;
            stats.by_status.insert(status, Sum { orders, cents });
            stats.total_orders += orders;
            if !status.is_final() {
                stats.pending_orders += orders;
            }
            if status == Status::Completed {
                stats.completed_orders += orders;
            }
            if status.is_taken() {
                stats.total_revenue_cents = stats.total_revenue_cents.saturating_add(cents);
            }
        }
        Ok(stats)
    }

    /// What is left on the way.
    pub async fn unsettled(&self) -> Result<Unsettled, Error> {
        let rows: Vec<(String, i64, i64)> = sqlx::query_as(
            "SELECT status, COUNT(*), MIN(created_at_ms) FROM orders
             WHERE status IN ('accepted', 'pending_inventory_check', 'cancelling') GROUP BY status",
        )
        .fetch_all(self.store.pool())
        .await?;
        let (mut unsettled, now) = (Unsettled::default(), now_ms());
        for (status, orders, oldest_at_ms) in rows {
            let status = Status::try_from(status).map_err(Error::internal)?;
            unsettled.orders.insert(status, orders);
            unsettled.oldest_ms = unsettled.oldest_ms.max(now.saturating_sub(oldest_at_ms));
        }
        Ok(unsettled)
    }

    /// Whether the order was in `from` and is in `to` now.
    pub async fn moves(&self, id: &OrderId, from: Status, to: Status) -> Result<bool, Error> {
        let mut write = self.store.write().await?;
        let done = sqlx::query(
            "UPDATE orders SET status = $3, updated_at_ms = $4 WHERE id = $1 AND status = $2",
        )
        .bind(id.as_str())
        .bind(from.as_str())
        .bind(to.as_str())
        .bind(now_ms())
        .execute(&mut *write)
        .await?;
        write.commit().await?;
        Ok(done.rows_affected() == 1)
    }
}

fn before(page: &Page) -> Result<String, Error> {
    let Some(after) = page.after() else {
        return Ok(ABOVE_ALL.to_owned());
    };
    let id =
        OrderId::try_from(after.to_owned()).map_err(|reason| Error::invalid("after", reason))?;
    Ok(id.as_str().to_owned())
}

/// `orders` has one row more than the page if there is a next one.
fn listing(mut orders: Vec<Order>, page: &Page, total: i64) -> Listing<Order> {
    let more = orders.len() as i64 > page.limit();
    orders.truncate(page.limit() as usize);
    let after = orders
        .last()
        .filter(|_| more)
        .map(|order| order.id.as_str().to_owned());
    Listing {
        items: orders,
        total,
        after,
    }
}
