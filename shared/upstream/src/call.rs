//! JSON calls to an upstream, over awc: one client per upstream and worker.
//!
//! A call is made once. It may go to another instance only when no connection came about, because
//! then nothing was written; every other failure is the caller's to handle. It ends within the
//! deadline it was given, carries what is left of it along, and speaks in the caller's trace.
//! What is known of awc's traps is in `call/transport.rs`.

mod request;
mod transport;

pub use request::Request;

use crate::error::Error;
use crate::lease::{Call, Lease};
use crate::pool::Pool;
use actix_web::http::Method;
use request::Prepared;
use resilience::classify::Outcome;
use resilience::deadline::Deadline;
use std::sync::Arc;
use std::time::{Duration, Instant};
use telemetry::http::ClientMetrics;
use tokio::time::timeout;
use transport::{Answer, Transport, Trouble};

/// Instances asked in turn while none can be connected to.
const MOST_INSTANCES: usize = 3;

/// A caller of one upstream. Stays on its worker's thread; make one in each.
#[derive(Clone)]
pub struct Client {
    pool: Arc<Pool>,
    transport: Transport,
    metrics: ClientMetrics,
}

/// How long a call may take, and whether its caller had less than the configured timeout to give.
#[derive(Clone, Copy)]
struct Time {
    deadline: Deadline,
    shortened: bool,
}

impl Time {
    fn of(given: Option<Deadline>, configured: Duration, now: Instant) -> Self {
        let own = Deadline::after(now, configured);
        match given {
            Some(given) if given.at() < own.at() => Self {
                deadline: given,
                shortened: true,
            },
            _ => Self {
                deadline: own,
                shortened: false,
            },
        }
    }
}

impl Client {
    /// Connections are this client's own: a slow upstream cannot take another's.
    pub fn new(pool: Arc<Pool>, metrics: ClientMetrics) -> Self {
        let transport = Transport::new(pool.config());
        Self {
            pool,
            transport,
            metrics,
        }
    }

    /// The upstream it calls.
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// A GET of `path`, which may have a query.
    pub fn get(&self, path: impl Into<String>) -> Request<'_> {
        Request::new(self, Method::GET, path.into())
    }

    /// A POST to `path`.
    pub fn post(&self, path: impl Into<String>) -> Request<'_> {
        Request::new(self, Method::POST, path.into())
    }

    /// A PUT to `path`.
    pub fn put(&self, path: impl Into<String>) -> Request<'_> {
        Request::new(self, Method::PUT, path.into())
    }

    /// A DELETE of `path`.
    pub fn delete(&self, path: impl Into<String>) -> Request<'_> {
        Request::new(self, Method::DELETE, path.into())
    }

    async fn run(&self, request: Prepared) -> Result<Answer, Error> {
        let started = Instant::now();
        let timeout = request.timeout.unwrap_or(self.pool.config().timeout());
        let time = Time::of(request.deadline, timeout, started);
        time.deadline
            .remaining(started)
            .ok_or_else(|| Error::deadline_exceeded(self.pool.name()))?;
        let mut call = self.pool.admit(started)?;
        let mut lease = call.lease(request.idempotent(), started)?;
        let result = loop {
            let attempt = self.attempt(&request, &mut lease, time, call.tried().len() - 1);
            let result = call.watch(None, attempt).await;
            if !result.as_ref().is_err_and(Trouble::nothing_written) {
                break result;
            }
            match self.another(&mut call, &request) {
                Some(next) => lease = next,
                None => break result,
            }
        };
        match result {
            Ok(answer) => {
                call.settle(&answer.outcome(), Instant::now());
                answer.judged(self.pool.name())
            }
            Err(trouble) => Err(self.give_up(call, &trouble, time.shortened)),
        }
    }

    /// An instance that was not tried yet, if there is one: nothing was written, so the call has not been made.
    fn another(&self, call: &mut Call, request: &Prepared) -> Option<Lease> {
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

    async fn attempt(
        &self,
        request: &Prepared,
        lease: &mut Lease,
        time: Time,
        resend: usize,
    ) -> Result<Answer, Trouble> {
        let now = Instant::now();
        let remaining = time.deadline.remaining(now).unwrap_or(Duration::ZERO);
        let resend = u32::try_from(resend).unwrap_or(u32::MAX);
        let attempt = lease.attempt(&self.metrics, request.method.as_str(), resend);
        let exchange = self.transport.exchange(
            request,
            lease.endpoint().address,
            attempt.headers(),
            time.deadline.hand_on(now),
        );
        let result = timeout(remaining, exchange)
            .await
            .unwrap_or(Err(Trouble::Late));
        match &result {
            Ok(answer) => {
                lease.settle(&answer.outcome(), Instant::now());
                if answer.draining {
                    lease.rest_draining(Instant::now());
                }
                attempt.finish(Ok(answer.status));
            }
            Err(trouble) => {
                lease.settle(&trouble.outcome(time.shortened), Instant::now());
                attempt.finish(Err(trouble.error_type()));
            }
        }
        result
    }

    /// Tells the service's breaker, and says what happened. Running out of less time than the call's
    /// configured timeout is nobody's failure: the caller was late.
    fn give_up(&self, call: Call, trouble: &Trouble, shortened: bool) -> Error {
        let outcome = trouble.outcome(shortened);
        call.settle(&outcome, Instant::now());
        let upstream = self.pool.name();
        let error = match trouble {
            Trouble::Late if matches!(outcome, Outcome::DeadlineShort) => {
                Error::deadline_exceeded(upstream)
            }
            Trouble::Late => Error::timeout(upstream),
            Trouble::Refused => Error::unreachable(upstream, "connection refused"),
            Trouble::Unconnected => Error::unreachable(upstream, "no connection in time"),
            Trouble::Unsendable(why) => Error::not_sendable(upstream, why),
            Trouble::Broken(why) => Error::unreachable(upstream, why),
            Trouble::Senseless(why) => Error::bad_answer(upstream, why),
        };
        Error {
            written: trouble.written(),
            ..error
        }
    }
}
