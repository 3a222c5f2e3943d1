//! What the client is told about an order, whether it was just placed or is asked about again.

use crate::clock::now_ms;
use crate::order::Order;
use crate::refusal::{Reason, Refusal};
use crate::status::Status;
use service::Error;
use std::time::Duration;

/// The answer to a request for an order.
#[derive(Debug, Clone)]
pub enum Outcome {
    Placed(Order),
    Refused(Refusal),
}

/// Never ask a client to come back at once.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

impl Outcome {
    /// What an order came to; none while it is being placed, and none if it was refused for a reason
    /// that may have passed.
    pub fn of(order: &Order) -> Option<Self> {
        let refusal = Self::refusal(order);
        match (order.status, refusal) {
            (Status::Accepted, _) => None,
            (Status::Cancelling | Status::Rejected, Some(refusal)) => {
                (!refusal.reason.may_pass()).then_some(Self::Refused(refusal))
            }
            _ => Some(Self::Placed(order.clone())),
        }
    }

    /// Why the shop refused an order, in the words that were told.
    pub fn refusal(order: &Order) -> Option<Refusal> {
        let reason = Reason::stored(order.reason.as_deref()?)?;
        let detail = order.detail.as_deref();
        Some(Refusal::new(
            reason,
            detail.unwrap_or("the order was not taken"),
        ))
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

/// Somebody else is at this order; when its claim runs out, whoever asks goes on with it.
pub fn in_progress(order: &Order) -> Error {
    let left = u64::try_from(order.due_at_ms.saturating_sub(now_ms())).unwrap_or(0);
    let wait = Duration::from_millis(left).max(SHORTEST_WAIT);
    let detail = "the order is being worked on; ask again";
    Error::conflict("in_progress", detail).retry_after(wait)
}
