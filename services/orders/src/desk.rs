//! Where orders come in: with a key or without, and each to its end even if the client leaves.
//!
//! A handler is dropped when its client goes away or its time is up. An order must not be dropped
//! half-way, so the work runs as a task of its own and the handler only waits for it.

use crate::book::Book;
use crate::checkout::Checkout;
use crate::claim::{Claim, Claims};
use crate::idempotency::{Found, Key, Keys};
use crate::order::{NewOrder, Order, OrderId};
use crate::outcome::{Outcome, impossible, in_progress};
use crate::status::Status;
use actix_web::rt;
use service::{Error, annotate};
use std::future::Future;
use std::rc::Rc;
use std::slice::from_ref;
use std::time::{Duration, Instant};
use tracing::Instrument;
use upstream::Deadline;

/// Takes orders; clones share one checkout and stay on their worker.
#[derive(Clone)]
pub struct Desk {
    pub book: Book,
    pub keys: Keys,
    pub claims: Claims,
    pub checkout: Rc<Checkout>,
    /// How long a second request with a key waits for the first.
    pub wait: Duration,
}

/// An outcome, and whether it was given before.
pub struct Submitted {
    pub outcome: Outcome,
    pub replayed: bool,
}

/// How often a waiting request looks what became of the order: far below what one takes.
const LOOK: Duration = Duration::from_millis(25);

impl Desk {
    /// # Errors
    /// 422 `idempotency_key_reused`, 409 `in_progress`, or the store fails.
    pub async fn submit(
        &self,
        key: Option<Key>,
        new: NewOrder,
        deadline: Deadline,
    ) -> Result<Submitted, Error> {
        let desk = self.clone();
        to_its_end(tracing::info_span!("place order"), async move {
            let submitted = match key {
                Some(key) => desk.submit_once(&key, &new, deadline).await?,
                None => {
                    let claim = desk.claims.accept_alone(&new).await?;
                    desk.place(&claim, deadline).await?
                }
            };
            show(&submitted.outcome);
            Ok(submitted)
        })
        .await
    }

    /// # Errors
    /// As [`Checkout::cancel`].
    pub async fn cancel(&self, id: OrderId) -> Result<Order, Error> {
        let checkout = self.checkout.clone();
        to_its_end(tracing::info_span!("cancel order"), async move {
            checkout.cancel(&id).await
        })
        .await
    }

    /// Moves an order on, or cancels it. A move that was made before is made.
    ///
    /// # Errors
    /// 404 `not_found`, 409 `status_move_impossible`, 409 `in_progress`.
    pub async fn move_to(&self, id: OrderId, to: Status) -> Result<Order, Error> {
        if to == Status::Cancelled {
            return self.cancel(id).await;
        }
        let order = self.book.get(&id).await?;
        if order.status == to {
            return Ok(order);
        }
        if to.moved_on_from() != Some(order.status) {
            return Err(impossible(&order, to));
        }
        match self.book.moves(&id, order.status, to).await? {
            true => self.book.get(&id).await,
            false => Err(in_progress(&order)),
        }
    }

    async fn submit_once(
        &self,
        key: &Key,
        new: &NewOrder,
        deadline: Deadline,
    ) -> Result<Submitted, Error> {
        let id = match self.keys.find(key, new, &self.claims).await? {
            Found::New(claim) => return self.place(&claim, deadline).await,
            Found::Known(id) => id,
        };
        let give_up = (Instant::now() + self.wait).min(deadline.at());
        loop {
            let order = self.book.get(&id).await?;
            if let Some(submitted) = self.again(&order, deadline).await? {
                return Ok(submitted);
            }
            if Instant::now() + LOOK >= give_up {
                return Err(in_progress(&self.book.get(&id).await?));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// A known order is asked for again: what it came to, or what it comes to now, if nobody else is
    /// at it. None: look again.
    async fn again(&self, order: &Order, deadline: Deadline) -> Result<Option<Submitted>, Error> {
        let replayed = |outcome| Submitted {
            outcome,
            replayed: true,
        };
        if let Some(outcome) = Outcome::of(order) {
            return Ok(Some(replayed(outcome)));
        }
        // The attempt before has to be undone first; as long as it is not its refusal stands.
        let stands = |order| {
            let refusal = Outcome::refusal(order)?;
            Some(replayed(Outcome::Refused(refusal)))
        };
        let claim = match order.status {
            Status::Rejected => self.claims.reopen(order).await?,
            _ => self.claims.take(order).await?,
        };
        let Some(claim) = claim else {
            return Ok(stands(order).filter(|_| order.status == Status::Cancelling));
        };
        if claim.order.status == Status::Accepted {
            return self.place(&claim, deadline).await.map(Some);
        }
        let undone = self.checkout.undo(&claim).await?;
        Ok(stands(&claim.order).filter(|_| !undone))
    }

    async fn place(&self, claim: &Claim, deadline: Deadline) -> Result<Submitted, Error> {
        Ok(Submitted {
            outcome: self
                .claims
                .keeping(from_ref(claim), self.checkout.place(claim, deadline))
                .await?,
            replayed: false,
        })
    }
}

/// The trace says what came of it.
fn show(outcome: &Outcome) {
    let status = match outcome {
        Outcome::Placed(order) => order.status,
        Outcome::Refused(refusal) => {
            annotate("lictor.order.reason", refusal.reason.code());
            Status::Rejected
        }
    };
    annotate("lictor.order.status", status.as_str());
}

/// Runs `work` to its end, whether or not anybody waits for it.
async fn to_its_end<T: 'static>(
    span: tracing::Span,
    work: impl Future<Output = Result<T, Error>> + 'static,
) -> Result<T, Error> {
    rt::spawn(work.instrument(span))
        .await
        .map_err(Error::internal)?
}
