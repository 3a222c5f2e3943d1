//! Who works on an order: one at a time, and not for ever.
//!
//! A claim is a word that nobody else knows, written into the order's row with the time at which it
//! runs out. Whatever is found out about the order is written under that word (`settle.rs`), so that
//! whoever lost the claim changes nothing any more; what it did at inventory and payments was done
//! under the order's id and attempt, and whoever goes on does the same again. A process that lives
//! renews its claim (`keep.rs`), one that dies leaves a claim that runs out.

use crate::clock::now_ms;
use crate::order::{NewOrder, Order, OrderId};
use crate::stock;
use service::{Error, Store, Write};
use uuid::Uuid;

/// Gives claims on the orders of this store.
#[derive(Clone)]
pub struct Claims {
    pub(crate) store: Store,
    /// How long a claim lasts, unless it is renewed.
    pub(crate) claim_ms: i64,
    /// What was heard of the stock longer ago is no knowledge.
    pub(crate) stock_keep_ms: i64,
}

/// The right to work on an order, as it stood then.
pub struct Claim {
    pub order: Order,
    /// Nobody worked on this attempt before: what this claim did not do was not done.
    pub fresh: bool,
    pub(crate) word: String,
}

impl Claims {
    /// Writes a new order down, as part of a transaction.
    pub async fn accept(
        &self,
        write: &mut Write,
        id: &OrderId,
        new: &NewOrder,
    ) -> Result<Claim, Error> {
        let (word, now) = (word(), now_ms());
        let order = sqlx::query_as(
            "INSERT INTO orders (id, user_id, status, items, total_cents, created_at_ms, updated_at_ms, claimed_by, due_at_ms)
             VALUES ($1, $2, 'accepted', $3, 0, $4, $4, $5, $6)
             RETURNING id, user_id, status, reason, detail, items, total_cents, payment_id, created_at_ms, updated_at_ms,
                       attempt, due_at_ms, tries",
        )
        .bind(id.as_str())
        .bind(new.user_id.as_str())
        .bind(new.items.unpriced().to_json())
        .bind(now)
        .bind(word.as_str())
        .bind(now + self.claim_ms)
        .fetch_one(&mut **write)
        .await?;
        let fresh = true;
        Ok(Claim { order, fresh, word })
    }

    /// Writes a new order down that nobody will ask for by a key.
    pub async fn accept_alone(&self, new: &NewOrder) -> Result<Claim, Error> {
        let mut write = self.store.write().await?;
        let claim = self.accept(&mut write, &OrderId::random(), new).await?;
        write.commit().await?;
        Ok(claim)
    }

    /// A claim on an unsettled order, if nobody has one and it stands where it was seen: what is undone when it is
    /// cancelling must not be undone when it was taken meanwhile.
    pub async fn take(&self, seen: &Order) -> Result<Option<Claim>, Error> {
        if !self.is_free(seen).await? {
            return Ok(None);
        }
        let (word, now) = (word(), now_ms());
        let mut write = self.store.write().await?;
        let order = sqlx::query_as(
            "UPDATE orders SET claimed_by = $2, due_at_ms = $3
             WHERE id = $1 AND status = $5 AND status IN ('accepted', 'pending_inventory_check', 'cancelling')
               AND (claimed_by = '' OR due_at_ms <= $4)
             RETURNING id, user_id, status, reason, detail, items, total_cents, payment_id, created_at_ms, updated_at_ms,
                       attempt, due_at_ms, tries",
        )
        .bind(seen.id.as_str())
        .bind(word.as_str())
        .bind(now + self.claim_ms)
        .bind(now)
        .bind(seen.status.as_str())
        .fetch_optional(&mut *write)
        .await?;
        write.commit().await?;
        Ok(order.map(|order| Claim::taken_over(order, word)))
    }

    /// Whether nobody has a claim on it: a look that takes no turn from those who write. Whoever waits for an order
    /// looks often.
    async fn is_free(&self, order: &Order) -> Result<bool, Error> {
        let free: Option<(String,)> = sqlx::query_as(
            "SELECT id FROM orders WHERE id = $1 AND (claimed_by = '' OR due_at_ms <= $2)",
        )
        .bind(order.id.as_str())
        .bind(now_ms())
        .fetch_optional(self.store.pool())
        .await?;
        Ok(free.is_some())
    }

    /// Claims on what has been waiting longest for somebody.
    pub async fn due(&self, batch: u32) -> Result<Vec<Claim>, Error> {
        let (word, now) = (word(), now_ms());
        let mut write = self.store.write().await?;
        let orders: Vec<Order> = sqlx::query_as(
            "UPDATE orders SET claimed_by = $1, due_at_ms = $2
             WHERE due_at_ms <= $3 AND status IN ('accepted', 'pending_inventory_check', 'cancelling') AND id IN
                 (SELECT id FROM orders WHERE status IN ('accepted', 'pending_inventory_check', 'cancelling')
                  AND due_at_ms <= $3 ORDER BY due_at_ms LIMIT $4)
             RETURNING id, user_id, status, reason, detail, items, total_cents, payment_id, created_at_ms, updated_at_ms,
                       attempt, due_at_ms, tries",
        )
        .bind(word.as_str())
        .bind(now + self.claim_ms)
        .bind(now)
        .bind(i64::from(batch))
        .fetch_all(&mut *write)
        .await?;
        write.commit().await?;
        let claim = |order| Claim::taken_over(order, word.clone());
        Ok(orders.into_iter().map(claim).collect())
    }

    /// Whether something is due: a look that takes no turn from those who write.
    pub async fn any_due(&self) -> Result<bool, Error> {
        let due: Option<(i64,)> = sqlx::query_as(
            "SELECT due_at_ms FROM orders WHERE status IN ('accepted', 'pending_inventory_check', 'cancelling')
             AND due_at_ms <= $1 LIMIT 1",
        )
        .bind(now_ms())
        .fetch_optional(self.store.pool())
        .await?;
        Ok(due.is_some())
    }

    /// The next attempt of an order that was refused for a reason that may have passed.
    pub async fn reopen(&self, order: &Order) -> Result<Option<Claim>, Error> {
        let (word, now) = (word(), now_ms());
        let mut write = self.store.write().await?;
        let reopened = sqlx::query_as(
            "UPDATE orders SET status = 'accepted', reason = NULL, detail = NULL, attempt = attempt + 1, tries = 0,
                 claimed_by = $3, due_at_ms = $4, updated_at_ms = $5
             WHERE id = $1 AND status = 'rejected' AND attempt = $2
             RETURNING id, user_id, status, reason, detail, items, total_cents, payment_id, created_at_ms, updated_at_ms,
                       attempt, due_at_ms, tries",
        )
        .bind(order.id.as_str())
        .bind(order.attempt)
        .bind(word.as_str())
        .bind(now + self.claim_ms)
        .bind(now)
        .fetch_optional(&mut *write)
        .await?;
        write.commit().await?;
        let fresh = true;
        Ok(reopened.map(|order| Claim { order, fresh, word }))
    }

    /// The client does not want it any more: a claim on the way back, if nobody is at the order. Why the shop had
    /// refused it, if it had, is forgotten: its key does not begin another attempt.
    pub async fn call_off(&self, order: &Order) -> Result<Option<Claim>, Error> {
        let (word, now) = (word(), now_ms());
        let mut write = self.store.write().await?;
        let called_off = sqlx::query_as(
            "UPDATE orders SET status = 'cancelling', reason = NULL, detail = NULL, tries = 0,
                               claimed_by = $3, due_at_ms = $4, updated_at_ms = $5
             WHERE id = $1 AND status = $2 AND (claimed_by = '' OR due_at_ms <= $5)
             RETURNING id, user_id, status, reason, detail, items, total_cents, payment_id, created_at_ms, updated_at_ms,
                       attempt, due_at_ms, tries",
        )
        .bind(order.id.as_str())
        .bind(order.status.as_str())
        .bind(word.as_str())
        .bind(now + self.claim_ms)
        .bind(now)
        .fetch_optional(&mut *write)
        .await?;
        if called_off.is_some() {
            stock::no_longer_pending(&mut write, order).await?;
        }
        write.commit().await?;
        Ok(called_off.map(|order| Claim::taken_over(order, word)))
    }
}

impl Claim {
    fn taken_over(order: Order, word: String) -> Self {
        let fresh = false;
        Self { order, fresh, word }
    }
}

fn word() -> String {
    Uuid::new_v4().simple().to_string()
}
