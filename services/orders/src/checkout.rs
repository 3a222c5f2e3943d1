//! The way of an order: reserve, charge, confirm; and the way back when the answer is no.
//!
//! Every step is known to its service by the order's id and attempt, so any of them may be done
//! twice, by the same process or by another that goes on with the order. What may have happened
//! counts as happened: only what this claim surely did not do, on an attempt that nobody had before,
//! is not undone. Inventory that does not answer is no "no": the order is accepted from the last
//! known stock, and charged when inventory holds the pieces. Money that cannot be taken is one: the
//! client is waiting, and learns that its order was not; a charge of which nothing was heard is refunded after that.

use crate::book::Book;
use crate::claim::{Claim, Claims};
use crate::inventory::Inventory;
use crate::order::{Order, OrderId};
use crate::outcome::{Outcome, impossible, in_progress};
use crate::pace::Pace;
use crate::payments::Payments;
use crate::reconciler;
use crate::refusal::{Reason, Refusal};
use crate::settle::{Rest, Settled, Standby};
use crate::status::Status;
use service::Error;
use std::slice::from_ref;
use std::time::Duration;
use upstream::{Deadline, Error as Failure, Origin};

/// Places orders and takes them back; one for each worker, because its connections stay there.
pub struct Checkout {
    pub book: Book,
    pub claims: Claims,
    pub inventory: Inventory,
    pub payments: Payments,
}

/// What the reconciler brought an order to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Confirmed,
    Rejected,
    Cancelled,
    /// Somebody else is at it.
    Lost,
}

/// Why the way ahead ended.
struct Setback {
    ending: Ending,
    /// What may have been done by then.
    undo: Undo,
    /// The call that failed.
    failure: Failure,
}

enum Ending {
    /// No.
    Refused(Refusal),
    /// Inventory does not answer: before it is known to hold anything, or when all is paid.
    Unchecked(Option<Settled>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Undo {
    release: bool,
    refund: bool,
}

impl Undo {
    /// What is in both.
    fn and(self, other: Self) -> Self {
        Self {
            release: self.release && other.release,
            refund: self.refund && other.refund,
        }
    }
}

const NOTHING: Undo = Undo {
    release: false,
    refund: false,
};

const WITHOUT_REFUND: Undo = Undo {
    release: true,
    refund: false,
};

const EVERYTHING: Undo = Undo {
    release: true,
    refund: true,
};
/// The reconciler's first look at what could not be undone at once.
const SOON: Rest = Rest {
    wait: Duration::from_millis(500),
    counts: true,
};

impl Checkout {
    /// Brings an accepted order to what the client is told.
    ///
    /// # Errors
    /// 409 `in_progress` when the claim was lost, or the store fails.
    pub async fn place(&self, claim: &Claim, deadline: Deadline) -> Result<Outcome, Error> {
        let setback = match self.carry_out(claim, Pace::Until(deadline)).await {
            Ok(settled) => {
                return match self.claims.confirm(claim, &settled).await? {
                    Some(order) => Ok(Outcome::Placed(order)),
                    None => self.lost(&claim.order.id).await,
                };
            }
            Err(setback) => setback,
        };
        let undo = setback.undo;
        match setback.ending {
            Ending::Refused(refusal) => {
                // Payments that gave no answer are not waited for twice in one request.
                let now = match refusal.reason {
                    Reason::PaymentsUnavailable => WITHOUT_REFUND,
                    _ => EVERYTHING,
                };
                self.refuse(claim, refusal, undo, now).await
            }
            Ending::Unchecked(settled) => {
                match self.claims.stand_by(claim, settled.as_ref()).await? {
                    Standby::Pending(order) => {
                        let source = settled.map_or("known_stock", |_| "held_stock");
                        service::annotate("lictor.fallback", source);
                        Ok(Outcome::Placed(order))
                    }
                    Standby::Lost => self.lost(&claim.order.id).await,
                    // Inventory is away: undoing waits for it, the client does not.
                    Standby::Refused(refusal) => self.refuse(claim, refusal, undo, NOTHING).await,
                }
            }
        }
    }

    /// Goes on with an order that was left on its way; none when it has to wait.
    pub async fn resume(
        &self,
        claim: &Claim,
        settings: &reconciler::Settings,
    ) -> Result<Option<End>, Error> {
        let pace = Pace::Patient(settings.patience());
        let mut end = claim.way_back_ends();
        if claim.order.status != Status::Cancelling {
            match self.carry_out(claim, pace).await {
                Ok(settled) => {
                    let confirmed = self.claims.confirm(claim, &settled).await?;
                    return Ok(Some(confirmed.map_or(End::Lost, |_| End::Confirmed)));
                }
                Err(setback) => match setback.ending {
                    Ending::Refused(refusal) if !refusal.reason.may_pass() => {
                        let to = Status::Cancelling;
                        if !self.claims.give_up(claim, &refusal, to).await? {
                            return Ok(Some(End::Lost));
                        }
                        end = Status::Rejected;
                    }
                    _ => {
                        let rest = settings.rest(claim.order.tries, &setback.failure);
                        return self.claims.put_back(claim, rest).await.map(|()| None);
                    }
                },
            }
        }
        if let Err(failure) = self.step_back(&claim.order, EVERYTHING, pace).await {
            let rest = settings.rest(claim.order.tries, &failure);
            return self.claims.put_back(claim, rest).await.map(|()| None);
        }
        let closed = self.claims.close(claim, end).await?;
        Ok(closed.then_some(match end {
            Status::Rejected => End::Rejected,
            _ => End::Cancelled,
        }))
    }

    /// The client does not want it any more. An order that cannot be undone at once stays
    /// `cancelling`, and is.
    ///
    /// # Errors
    /// 404 `not_found`, 409 `in_progress`, 409 `status_move_impossible`.
    pub async fn cancel(&self, id: &OrderId) -> Result<Order, Error> {
        let order = self.book.get(id).await?;
        match order.status {
            Status::Cancelled => return Ok(order),
            Status::Accepted => return Err(in_progress(&order)),
            Status::Shipped | Status::Completed | Status::Rejected => {
                return Err(impossible(&order, Status::Cancelled));
            }
            Status::Confirmed | Status::PendingInventoryCheck | Status::Cancelling => {}
        }
        let Some(claim) = self.claims.call_off(&order).await? else {
            return Err(in_progress(&order));
        };
        self.undo(&claim).await?;
        self.book.get(id).await
    }

    /// Goes on undoing a claimed order; whether all of it is undone now.
    pub async fn undo(&self, claim: &Claim) -> Result<bool, Error> {
        let end = claim.way_back_ends();
        let undoing = self.take_back(claim, EVERYTHING, end, Pace::Configured);
        self.claims.keeping(from_ref(claim), undoing).await
    }

    async fn carry_out(&self, claim: &Claim, pace: Pace) -> Result<Settled, Setback> {
        let order = &claim.order;
        let held = self.inventory.reserve(order, pace).await;
        let held = held.map_err(|failure| {
            let undo = Undo {
                release: may_have_happened(&failure),
                ..NOTHING
            };
            let ending = match Inventory::refusal(&failure) {
                refusal if refusal.reason == Reason::InventoryUnavailable => {
                    Ending::Unchecked(None)
                }
                refusal => Ending::Refused(refusal),
            };
            Setback {
                ending,
                undo,
                failure,
            }
        })?;
        // What the client was told while inventory was away is what it pays.
        let (items, total_cents) = match order.items.are_priced() {
            true => (order.items.clone(), order.total_cents),
            false => (held.items, held.total_cents),
        };
        let payment = self.payments.charge(order, total_cents, pace).await;
        let payment = payment.map_err(|failure| {
            let refund = may_have_happened(&failure);
            let undo = Undo {
                release: true,
                refund,
            };
            Setback {
                ending: Ending::Refused(Payments::refusal(&failure)),
                undo,
                failure,
            }
        })?;
        let settled = Settled {
            items,
            total_cents,
            payment_id: payment.id,
        };
        match self.inventory.confirm(order, pace).await {
            Ok(()) => Ok(settled),
            Err(failure) => Err(Setback {
                ending: match Inventory::refusal(&failure) {
                    refusal if refusal.reason.may_pass() => Ending::Unchecked(Some(settled)),
                    refusal => Ending::Refused(refusal),
                },
                undo: EVERYTHING,
                failure,
            }),
        }
    }

    /// Tells the client no, and undoes what may have been done: what is in `now` before that, the rest later.
    async fn refuse(
        &self,
        claim: &Claim,
        refusal: Refusal,
        undo: Undo,
        now: Undo,
    ) -> Result<Outcome, Error> {
        let undo = if claim.fresh { undo } else { EVERYTHING };
        let to = match undo {
            NOTHING => Status::Rejected,
            _ => Status::Cancelling,
        };
        if !self.claims.give_up(claim, &refusal, to).await? {
            return self.lost(&claim.order.id).await;
        }
        match undo.and(now) {
            _ if undo == NOTHING => {}
            all if all == undo => {
                self.take_back(claim, undo, Status::Rejected, Pace::Configured)
                    .await?;
            }
            some => {
                // What fails is tried again later with the rest.
                let _ = self.step_back(&claim.order, some, Pace::Configured).await;
                self.claims.put_back(claim, SOON).await?;
            }
        }
        Ok(Outcome::Refused(refusal))
    }

    /// Undoes what may have been done and closes the order; or leaves it to the reconciler. Whether it
    /// is closed.
    async fn take_back(
        &self,
        claim: &Claim,
        undo: Undo,
        end: Status,
        pace: Pace,
    ) -> Result<bool, Error> {
        if self.step_back(&claim.order, undo, pace).await.is_err() {
            self.claims.put_back(claim, SOON).await?;
            return Ok(false);
        }
        self.claims.close(claim, end).await
    }

    /// Releases and refunds, both at once.
    async fn step_back(&self, order: &Order, undo: Undo, pace: Pace) -> Result<(), Failure> {
        let release = async {
            match undo.release {
                true => self.inventory.release(order, pace).await,
                false => Ok(()),
            }
        };
        let refund = async {
            match undo.refund {
                true => self.payments.refund(order, pace).await,
                false => Ok(()),
            }
        };
        let (released, refunded) = tokio::join!(release, refund);
        released.and(refunded).inspect_err(|failure| {
            tracing::warn!(order = order.id.as_str(), %failure, "not undone yet");
        })
    }

    /// Somebody else went on with the order: what it came to, if it has.
    async fn lost(&self, id: &OrderId) -> Result<Outcome, Error> {
        let order = self.book.get(id).await?;
        Outcome::of(&order).ok_or_else(|| in_progress(&order))
    }
}

impl End {
    pub const ALL: [Self; 4] = [Self::Confirmed, Self::Rejected, Self::Cancelled, Self::Lost];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
        }
    }
}

/// Whether a step that failed may have been taken all the same: not if nothing of it was sent,
/// and not if its service refused it.
fn may_have_happened(failure: &Failure) -> bool {
    let refused = failure.origin == Origin::Upstream && failure.status < 500;
    failure.written && !refused
}
