//! Where orders come in: with a key or without, and each to its end even if the client leaves.
//!
//! A handler is dropped when its client goes away or its time is up. An order must not be dropped
//! half-way, so the work runs as a task of its own and the handler only waits for it.

use crate::book::Book;
use crate::checkout::{Checkout, Outcome, impossible, in_progress};
use crate::idempotency::{Claim, Key, Keys};
use crate::order::{NewOrder, Order, OrderId};
use crate::status::Status;
use actix_web::rt;
use service::Error;
use std::future::Future;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tracing::Instrument;
use upstream::Deadline;

/// Takes orders; clones share one checkout and stay on their worker.
#[derive(Clone)]
pub struct Desk {
    pub book: Book,
    pub keys: Keys,
    pub checkout: Rc<Checkout>,
    /// How long a second request with a key waits for the first.
    pub wait: Duration,
}

/// An outcome, and whether it was given before.
pub struct Submitted {
    pub outcome: Outcome,
    pub replayed: bool,
}

/// How often a waiting request looks for the first one's answer: far below what an order takes.
const LOOK: Duration = Duration::from_millis(25);

impl Desk {
    /// # Errors
    /// 422 `idempotency_key_reused`, 409 `in_progress`, 503 `order_cancelling`, or the store fails.
    pub async fn submit(
        &self,
        key: Option<Key>,
        new: NewOrder,
        deadline: Deadline,
    ) -> Result<Submitted, Error> {
        let desk = self.clone();
        to_its_end(tracing::info_span!("place order"), async move {
            match key {
                Some(key) => desk.submit_once(&key, &new, deadline).await,
                None => desk.submit_anew(&new, deadline).await,
            }
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
            false => Err(in_progress()),
        }
    }

    async fn submit_anew(&self, new: &NewOrder, deadline: Deadline) -> Result<Submitted, Error> {
        let id = OrderId::random();
        self.book.accept(&id, new).await?;
        let outcome = self.checkout.place(&id, deadline).await?;
        Ok(Submitted {
            outcome,
            replayed: false,
        })
    }

    async fn submit_once(
        &self,
        key: &Key,
        new: &NewOrder,
        deadline: Deadline,
    ) -> Result<Submitted, Error> {
        let give_up = (Instant::now() + self.wait).min(deadline.at());
        loop {
            match self.keys.claim(key, new).await? {
                Claim::Mine(id) => return self.place_once(key, &id, deadline).await,
                Claim::Answered(answer) => {
                    let outcome = serde_json::from_str(&answer).map_err(Error::internal)?;
                    return Ok(Submitted {
                        outcome,
                        replayed: true,
                    });
                }
                Claim::InProgress if Instant::now() + LOOK >= give_up => return Err(in_progress()),
                Claim::InProgress => tokio::time::sleep(LOOK).await,
            }
        }
    }

    async fn place_once(
        &self,
        key: &Key,
        id: &OrderId,
        deadline: Deadline,
    ) -> Result<Submitted, Error> {
        let outcome = self.checkout.place(id, deadline).await?;
        match &outcome {
            Outcome::Refused(refusal) if refusal.reason.may_pass() => {
                self.keys.forget(key, id).await?
            }
            _ => {
                let answer = serde_json::to_string(&outcome).map_err(Error::internal)?;
                self.keys.answer(key, &answer).await?;
            }
        }
        Ok(Submitted {
            outcome,
            replayed: false,
        })
    }
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
