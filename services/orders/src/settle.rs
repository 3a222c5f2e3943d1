//! What becomes of a claimed order, written under the claim: each of these is one transaction that
//! changes nothing when the claim was lost. The pieces of an order that is pending are counted in the
//! same transaction that makes it so, and let go in the one that ends it.

use crate::claim::{Claim, Claims};
use crate::clock::now_ms;
use crate::order::{Lines, Order};
use crate::refusal::{Reason, Refusal};
use crate::status::Status;
use crate::stock::{self, Known};
use service::Error;
use std::time::Duration;

/// What inventory and payments said about an order.
pub struct Settled {
    pub items: Lines,
    pub total_cents: i64,
    pub payment_id: String,
}

/// What became of an order that inventory could not be asked about.
pub enum Standby {
    Pending(Order),
    /// Not even from the last known stock.
    Refused(Refusal),
    /// Somebody else is at the order.
    Lost,
}

/// How long an order is left alone that got nowhere, and whether that counts as a try: the more
/// tries, the longer the next wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rest {
    pub wait: Duration,
    pub counts: bool,
}

impl Claims {
    /// Reserved and paid: prices, sum and payment are known now.
    pub async fn confirm(&self, claim: &Claim, settled: &Settled) -> Result<Option<Order>, Error> {
        let mut write = self.store.write().await?;
        let confirmed = sqlx::query_as(
            "UPDATE orders SET status = 'confirmed', items = $3, total_cents = $4, payment_id = $5, updated_at_ms = $6,
                 claimed_by = ''
             WHERE id = $1 AND claimed_by = $2
             RETURNING id, user_id, status, reason, detail, items, total_cents, payment_id, created_at_ms, updated_at_ms,
                       attempt, due_at_ms, tries",
        )
        .bind(claim.order.id.as_str())
        .bind(claim.word.as_str())
        .bind(settled.items.to_json())
        .bind(settled.total_cents)
        .bind(settled.payment_id.as_str())
        .bind(now_ms())
        .fetch_optional(&mut *write)
        .await?;
        if confirmed.is_some() {
            stock::no_longer_pending(&mut write, &claim.order).await?;
        }
        write.commit().await?;
        Ok(confirmed)
    }

    /// Accepts the order although inventory does not answer: at the last known prices, from the last
    /// known stock less what is pending already; or with what inventory said before it fell silent.
    pub async fn stand_by(
        &self,
        claim: &Claim,
        settled: Option<&Settled>,
    ) -> Result<Standby, Error> {
        let (now, mut write) = (now_ms(), self.store.write().await?);
        let (items, total_cents) = match settled {
            Some(settled) => {
                stock::count_as_pending(&mut write, &settled.items).await?;
                (settled.items.clone(), settled.total_cents)
            }
            None => {
                let heard_since = now - self.stock_keep_ms;
                match stock::promise(&mut write, &claim.order.items, heard_since).await? {
                    Known::Enough { items, total_cents } => (items, total_cents),
                    Known::Not(refusal) => return Ok(Standby::Refused(refusal)),
                }
            }
        };
        let pending = sqlx::query_as(
            "UPDATE orders SET status = 'pending_inventory_check', items = $3, total_cents = $4, payment_id = $5,
                 updated_at_ms = $6, due_at_ms = $6, tries = 0, claimed_by = ''
             WHERE id = $1 AND claimed_by = $2
             RETURNING id, user_id, status, reason, detail, items, total_cents, payment_id, created_at_ms, updated_at_ms,
                       attempt, due_at_ms, tries",
        )
        .bind(claim.order.id.as_str())
        .bind(claim.word.as_str())
        .bind(items.to_json())
        .bind(total_cents)
        .bind(settled.map(|settled| settled.payment_id.as_str()))
        .bind(now)
        .fetch_optional(&mut *write)
        .await?;
        let Some(order) = pending else {
            return Ok(Standby::Lost);
        };
        write.commit().await?;
        Ok(Standby::Pending(order))
    }

    /// The shop refuses the order and says why. Whether the order is still this claim's.
    /// `Rejected` ends it there; `Cancelling` leaves the claim, for what is to be undone.
    pub async fn give_up(
        &self,
        claim: &Claim,
        refusal: &Refusal,
        to: Status,
    ) -> Result<bool, Error> {
        let word = match to {
            Status::Rejected => "",
            _ => &*claim.word,
        };
        let mut write = self.store.write().await?;
        let done = sqlx::query(
            "UPDATE orders SET status = $3, reason = $4, detail = $5, updated_at_ms = $6, tries = 0, claimed_by = $7
             WHERE id = $1 AND claimed_by = $2",
        )
        .bind(claim.order.id.as_str())
        .bind(claim.word.as_str())
        .bind(to.as_str())
        .bind(refusal.reason.code())
        .bind(refusal.detail.as_str())
        .bind(now_ms())
        .bind(word)
        .execute(&mut *write)
        .await?;
        if done.rows_affected() == 1 {
            stock::no_longer_pending(&mut write, &claim.order).await?;
        }
        write.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// Everything is undone.
    pub async fn close(&self, claim: &Claim, end: Status) -> Result<bool, Error> {
        let mut write = self.store.write().await?;
        let done = sqlx::query(
            "UPDATE orders SET status = $3, updated_at_ms = $4, claimed_by = ''
             WHERE id = $1 AND claimed_by = $2 AND status = 'cancelling'",
        )
        .bind(claim.order.id.as_str())
        .bind(claim.word.as_str())
        .bind(end.as_str())
        .bind(now_ms())
        .execute(&mut *write)
        .await?;
        write.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// Gives the claim back: the reconciler looks again after this rest, anybody else may at once.
    pub async fn put_back(&self, claim: &Claim, rest: Rest) -> Result<(), Error> {
        let mut write = self.store.write().await?;
        sqlx::query(
            "UPDATE orders SET claimed_by = '', due_at_ms = $3, tries = tries + $4 WHERE id = $1 AND claimed_by = $2",
        )
        .bind(claim.order.id.as_str())
        .bind(claim.word.as_str())
        .bind(now_ms() + i64::try_from(rest.wait.as_millis()).unwrap_or(i64::MAX / 2))
        .bind(i64::from(rest.counts))
        .execute(&mut *write)
        .await?;
        write.commit().await?;
        Ok(())
    }
}

impl Claim {
    /// Where the way back ends: a shop that gave up left its reason.
    pub fn way_back_ends(&self) -> Status {
        match self.order.reason.as_deref().and_then(Reason::stored) {
            Some(_) => Status::Rejected,
            None => Status::Cancelled,
        }
    }
}
