//! How long a call to a peer may take: it depends on who waits for it.

use std::time::Duration;
use upstream::Deadline;
use upstream::call::Request;

/// Chosen by whoever works on an order.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// The configured time, and not beyond what the client has.
    Until(Deadline),
    /// The configured time: it must be done even if the client's time is up.
    Configured,
    /// Nobody waits.
    Patient(Duration),
}

impl Pace {
    pub fn of(self, request: Request<'_>) -> Request<'_> {
        match self {
            Self::Until(deadline) => request.deadline(deadline),
            Self::Configured => request,
            Self::Patient(patience) => request.timeout(patience),
        }
    }
}
