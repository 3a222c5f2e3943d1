//! Whether a call that failed is made again, and where.
//!
//! A service makes a call once: it goes elsewhere only while no connection came about, because then nothing was written.
//! The gateway brings its rule for retries (`Request::retried_by`), and that decides as it does for what streams.

use super::{Client, Ended, MOST_INSTANCES};
use crate::call::request::Prepared;
use crate::lease::{Call, Lease, Over};
use resilience::retry::Refusal;
use std::time::Instant;

impl Client {
    /// The lease for another attempt, after the wait that comes before it, or why there is to be none.
    pub(super) async fn another(
        &self,
        call: &mut Call,
        request: &Prepared,
        ended: &Ended,
        lease: &mut Lease,
    ) -> Result<Lease, &'static str> {
        let over = Over {
            idempotent: request.idempotent(),
            outcome: &ended.came,
            written: ended.written(),
            replayable: true,
        };
        match &request.retry {
            Some(rule) => call.another(rule, over, ended.time.deadline, lease).await,
            None if ended.nothing_written() => {
                let elsewhere = self.elsewhere(call, request);
                elsewhere.ok_or(Refusal::AttemptsUsed.as_str())
            }
            None => Err(Refusal::Final.as_str()),
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
}
