//! How long one use of the database may take: `store.wait_ms` for a turn, a connection and a lock
//! together, and never longer than the request for which it is done has left.
//!
//! Whose patience ran out decides what the caller is told: the store's own is 503
//! `store_unavailable`, the request's is 504 `deadline_exceeded`. Work that belongs to no request has
//! no deadline.

use crate::deadline;
use sqlx::error::Error;
use std::future::Future;
use std::io;
use std::time::{Duration, Instant};
use tokio::time::{sleep, sleep_until, timeout_at};

/// Decided at the beginning of a use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Nobody waits for a turn, a connection or a lock after this.
    until: Instant,
    /// The end of the request, if it is done for one.
    deadline: Option<Instant>,
}

/// The request's time is used up.
#[derive(Debug, thiserror::Error)]
#[error("the time given for this request is used up")]
struct OutOfTime;

impl Patience {
    pub(super) fn now(wait: Duration) -> Self {
        let deadline = deadline::current().map(|deadline| deadline.at());
        let own = Instant::now() + wait;
        let until = deadline.map_or(own, |deadline| deadline.min(own));
        Self { until, deadline }
    }

    /// Awaits a turn or a connection.
    pub(super) async fn wait<T>(
        &self,
        coming: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let came = timeout_at(self.until.into(), coming).await;
        came.unwrap_or(Err(Error::PoolTimedOut))
            .map_err(|error| self.blame(error))
    }

    /// What is left.
    pub(super) fn left(&self) -> Result<Duration, Error> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(self.blame(Error::PoolTimedOut));
        }
        Ok(left)
    }

    /// Sleeps, but not past the end of the request.
    pub(super) async fn sleep(&self, wait: Duration) -> Result<(), Error> {
        match self.deadline {
            Some(deadline) if deadline < Instant::now() + wait => {
                sleep_until(deadline.into()).await;
                Err(out_of_time())
            }
            _ => {
                sleep(wait).await;
                Ok(())
            }
        }
    }

    /// A wait in vain is the request's own when its end was what bounded it.
    pub(super) fn blame(&self, error: Error) -> Error {
        if self.deadline == Some(self.until) && waited_in_vain(&error) {
            return out_of_time();
        }
        error
    }
}

/// Whether a use of the store ended because its request did.
pub(crate) fn is_out_of_time(error: &Error) -> bool {
    match error {
        Error::Io(error) => error.get_ref().is_some_and(|inner| inner.is::<OutOfTime>()),
        // PostgreSQL's query_canceled: what `statement_timeout` ends with.
        Error::Database(error) => error.code().as_deref() == Some("57014"),
        _ => false,
    }
}

fn out_of_time() -> Error {
    Error::Io(io::Error::new(io::ErrorKind::TimedOut, OutOfTime))
}

fn waited_in_vain(error: &Error) -> bool {
    match error {
        Error::PoolTimedOut => true,
        Error::Database(error) => crate::error::is_busy(error.message()),
        _ => false,
    }
}
