//! The step from an attempt that is over to the next one, the same for JSON calls and for what streams.
//!
//! Whoever makes the call says what it knows of its attempt; the rule decides, and what comes of it is counted here.

use super::{Call, Lease};
use resilience::classify::Outcome;
use resilience::deadline::Deadline;
use resilience::retry::{Attempted, Refusal, Retry};
use std::time::Instant;

/// What is known of an attempt that is over, of whose answer the client has no byte yet.
#[derive(Debug, Clone, Copy)]
pub struct Over<'a> {
    /// Whether the upstream may meet the request twice.
    pub idempotent: bool,
    /// How it ended, whosever failure that is.
    pub outcome: &'a Outcome,
    /// Whether any byte of the request was written to a connection.
    pub written: bool,
    /// Whether the request's body is still there to be sent again.
    pub replayable: bool,
}

impl Call {
    /// The lease for another attempt, after the wait that comes before it, or why there is to be none. `lease`, whose
    /// attempt is over, gives its place back before that wait, and only then.
    pub async fn another(
        &mut self,
        rule: &Retry,
        over: Over<'_>,
        deadline: Deadline,
        lease: &mut Lease,
    ) -> Result<Lease, &'static str> {
        let now = Instant::now();
        let attempted = Attempted {
            idempotent: over.idempotent,
            outcome: over.outcome,
            written: over.written,
            replayable: over.replayable,
            answer_begun: false,
            attempts: u32::try_from(self.tried.len()).unwrap_or(u32::MAX),
            remaining: deadline.remaining(now).unwrap_or_default(),
        };
        let decided = rule.decide(&attempted, self.pool.budget(), now, &mut rand::rng());
        let wait = decided.map_err(|why| {
            self.pool.not_retried(why);
            why.as_str()
        })?;
        lease.give_place_back();
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        let (ended, now) = (now, Instant::now());
        self.waited(now - ended);
        if deadline.remaining(now).is_none() {
            return Err(Refusal::Deadline.as_str());
        }
        let next = self.lease(over.idempotent, now);
        let next = next.map_err(|error| error.own_code())?;
        let reason = over.outcome.error_type().unwrap_or("status");
        self.pool.retried(reason);
        Ok(next)
    }
}
