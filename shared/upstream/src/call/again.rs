//! Whether a call that failed is made again, and where.
//!
//! A service makes a call once: it goes elsewhere only while no connection came about, because then nothing was written.
//! The gateway brings its rule for retries (`Request::retried_by`), and that decides as it does for what streams.

use super::transport::Trouble;
use super::{Client, Ended, MOST_INSTANCES};
use crate::call::request::Prepared;
use crate::lease::{Call, Lease};
use resilience::retry::{Attempted, Retry};
use std::time::Instant;

impl Client {
    /// The lease for another attempt, after the wait that comes before it, if there is to be one.
    pub(super) async fn another(
        &self,
        call: &mut Call,
        request: &Prepared,
        ended: &Ended,
    ) -> Option<Lease> {
        match &request.retry {
            Some(rule) => self.again(rule, call, request, ended).await,
            None if ended.nothing_written() => self.elsewhere(call, request),
            None => None,
        }
    }

    /// An instance that was not tried yet, if there is one: nothing was written, so the call has not been made.
    fn elsewhere(&self, call: &mut Call, request: &Prepared) -> Option<Lease> {
        let before = call.tried().len();
        if before >= MOST_INSTANCES {
            return None;
        }
        let lease = call.lease(request.idempotent(), Instant::now()).ok()?;
        let new = !call.tried()[..before].contains(&lease.endpoint().id);
        if new {
            self.pool.retried("not_connected");
        }
        new.then_some(lease)
    }

    async fn again(
        &self,
        rule: &Retry,
        call: &mut Call,
        request: &Prepared,
        ended: &Ended,
    ) -> Option<Lease> {
        let now = Instant::now();
        let attempted = Attempted {
            idempotent: request.idempotent(),
            outcome: &ended.outcome,
            written: ended
                .result
                .as_ref()
                .map_or_else(Trouble::written, |_| true),
            replayable: true,
            answer_begun: false,
            attempts: u32::try_from(call.tried().len()).unwrap_or(u32::MAX),
            remaining: ended.time.deadline.remaining(now).unwrap_or_default(),
        };
        let decided = rule.decide(&attempted, self.pool.budget(), now, &mut rand::rng());
        let wait = decided.map_err(|why| self.pool.not_retried(why)).ok()?;
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        let now = Instant::now();
        ended.time.deadline.remaining(now)?;
        let lease = call.lease(request.idempotent(), now).ok()?;
        self.pool
            .retried(ended.outcome.error_type().unwrap_or("status"));
        Some(lease)
    }
}
