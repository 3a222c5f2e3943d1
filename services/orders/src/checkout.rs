//! The way of an order: reserve, charge, confirm; and the way back when one of them fails.
//!
//! Every step is known to its service by the order's id, so any of them may be done twice, by the
//! same process or by another that goes on with the order. What may have happened counts as happened:
//! only a step that was surely not taken is not undone. The way back is entered by one `UPDATE` from
//! `accepted` to `cancelling`, and from there nothing leads to `confirmed`: whoever still carries on
//! with the order meets a released reservation and a closed payment.

use crate::book::{Book, Settled};
use crate::inventory::Inventory;
use crate::order::{Order, OrderId};
use crate::payments::Payments;
use crate::refusal::{Reason, Refusal};
use crate::status::Status;
use serde::{Deserialize, Serialize};
use service::Error;
use std::time::Duration;
use upstream::{Deadline, Error as Failure, Origin};

/// Places orders and takes them back; one for each worker, because its connections stay there.
pub struct Checkout {
    pub book: Book,
    pub inventory: Inventory,
    pub payments: Payments,
    pub undo_attempts: u32,
}

/// How placing an order ended; kept with its idempotency key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Placed(Order),
    Refused(Refusal),
}

/// A step failed: what to say, and what to undo.
struct Setback {
    refusal: Refusal,
    undo: Undo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Undo {
    release: Release,
    refund: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Release {
    Nothing,
    /// Held at most: it runs out by itself if inventory cannot be reached.
    Held,
    /// Perhaps confirmed: it stays for ever if it is not released.
    Confirmed,
}

const EVERYTHING: Undo = Undo {
    release: Release::Confirmed,
    refund: true,
};
/// Between two attempts to undo: another instance is tried, or the same one has recovered.
const PAUSE: Duration = Duration::from_millis(100);

impl Checkout {
    /// Brings an order to its end, from wherever it stands.
    ///
    /// # Errors
    /// The store fails, or the way back could not be finished: 503 `order_cancelling`.
    pub async fn place(&self, id: &OrderId, deadline: Deadline) -> Result<Outcome, Error> {
        let mut order = self.book.get(id).await?;
        let accepted = order.status == Status::Accepted;
        if accepted {
            match self.carry_out(&order, deadline).await {
                Ok(settled) => drop(self.book.confirm(id, &settled).await?),
                Err(setback) if self.book.give_up(id, setback.refusal.reason).await? => {
                    self.take_back(id, setback.undo, Status::Rejected).await?;
                    return Ok(Outcome::Refused(setback.refusal));
                }
                Err(_) => {}
            }
            order = self.book.get(id).await?;
        }
        if order.status.is_taken() {
            return Ok(Outcome::Placed(order));
        }
        // Whoever was faster gave up: what was done here is undone here, for he may not know of it.
        if accepted || order.status == Status::Cancelling {
            self.take_back(id, EVERYTHING, given_up(&order)).await?;
        }
        let reason = order.reason.as_deref().and_then(Reason::stored);
        let reason = reason.unwrap_or(Reason::OrderClosed);
        Ok(Outcome::Refused(Refusal::new(
            reason,
            "the order was not taken",
        )))
    }

    /// The client does not want it any more.
    ///
    /// # Errors
    /// 404 `not_found`, 409 `in_progress`, 409 `status_move_impossible`, 503 `order_cancelling`.
    pub async fn cancel(&self, id: &OrderId) -> Result<Order, Error> {
        let order = self.book.get(id).await?;
        match order.status {
            Status::Cancelled => return Ok(order),
            Status::Accepted => return Err(in_progress()),
            Status::Confirmed
                if !self
                    .book
                    .moves(id, Status::Confirmed, Status::Cancelling)
                    .await? =>
            {
                return Err(in_progress());
            }
            Status::Confirmed | Status::Cancelling => {}
            Status::Shipped | Status::Completed | Status::Rejected => {
                return Err(impossible(&order, Status::Cancelled));
            }
        }
        self.take_back(id, EVERYTHING, given_up(&order)).await?;
        self.book.get(id).await
    }

    async fn carry_out(&self, order: &Order, deadline: Deadline) -> Result<Settled, Setback> {
        let held = self
            .inventory
            .reserve(order, deadline)
            .await
            .map_err(|failure| {
                let release = if may_have_happened(&failure) {
                    Release::Held
                } else {
                    Release::Nothing
                };
                failed(
                    failure,
                    Undo {
                        release,
                        refund: false,
                    },
                    Inventory::refusal,
                )
            })?;
        let payment = self
            .payments
            .charge(order, held.total_cents, deadline)
            .await
            .map_err(|failure| {
                let refund = may_have_happened(&failure);
                failed(
                    failure,
                    Undo {
                        release: Release::Held,
                        refund,
                    },
                    Payments::refusal,
                )
            })?;
        self.inventory
            .confirm(&order.id, deadline)
            .await
            .map_err(|failure| failed(failure, EVERYTHING, Inventory::refusal))?;
        Ok(Settled {
            items: held.items,
            total_cents: held.total_cents,
            payment_id: payment.id,
        })
    }

    /// Undoes what may have been done, and closes the order.
    async fn take_back(&self, id: &OrderId, undo: Undo, end: Status) -> Result<(), Error> {
        let (released, refunded) = (
            self.release(id, undo.release).await,
            self.refund(id, undo.refund).await,
        );
        if let Err(failure) = released.and(refunded) {
            let detail = "the order was not taken and is still being undone; ask again";
            return Err(Error::unavailable("order_cancelling", detail).cause(failure));
        }
        self.book.moves(id, Status::Cancelling, end).await?;
        Ok(())
    }

    async fn release(&self, id: &OrderId, release: Release) -> Result<(), Failure> {
        match release {
            Release::Nothing => Ok(()),
            Release::Held => {
                if let Err(failure) = self.inventory.release(id).await {
                    tracing::warn!(order = id.as_str(), %failure, "not released: the reservation runs out by itself");
                }
                Ok(())
            }
            Release::Confirmed => self.insist(|| self.inventory.release(id)).await,
        }
    }

    async fn refund(&self, id: &OrderId, refund: bool) -> Result<(), Failure> {
        match refund {
            true => self.insist(|| self.payments.refund(id)).await,
            false => Ok(()),
        }
    }

    async fn insist(&self, step: impl AsyncFn() -> Result<(), Failure>) -> Result<(), Failure> {
        let mut attempt = 1;
        loop {
            match step().await {
                Err(_) if attempt < self.undo_attempts => attempt += 1,
                result => return result,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// The client asks for a move that no order in this status can make.
pub fn impossible(order: &Order, to: Status) -> Error {
    let detail = format!(
        "an order that is {} cannot become {}",
        order.status.as_str(),
        to.as_str()
    );
    Error::conflict("status_move_impossible", detail).field("status")
}

/// Somebody else is at this order.
pub fn in_progress() -> Error {
    let detail = "the order is being worked on; ask again";
    Error::conflict("in_progress", detail).retry_after(Duration::from_secs(1))
}

/// Where the way back ends: a shop that gave up left its reason.
fn given_up(order: &Order) -> Status {
    match order.reason {
        Some(_) => Status::Rejected,
        None => Status::Cancelled,
    }
}

/// Whether a step that failed may have been taken all the same: not if nothing of it was sent,
/// and not if its service refused it.
fn may_have_happened(failure: &Failure) -> bool {
    let refused = failure.origin == Origin::Upstream && failure.status < 500;
    failure.written && !refused
}

fn failed(failure: Failure, undo: Undo, refusal: fn(&Failure) -> Refusal) -> Setback {
    Setback {
        refusal: refusal(&failure),
        undo,
    }
}
