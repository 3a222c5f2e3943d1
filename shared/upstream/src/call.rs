//! JSON calls to an upstream, over awc: one client per upstream and worker.
//!
//! A call is made once, unless its caller brings a rule for retries, which only the gateway does
//! (`call/again.rs`). It ends within the deadline it was given, carries what is left of it along, and
//! speaks in the caller's trace. What is known of awc's traps is in `call/transport.rs`.

mod again;
mod request;
mod transport;

pub use request::{Made, Request};

use crate::error::Error;
use crate::lease::Lease;
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

/// An attempt that is over.
struct Ended {
    result: Result<Answer, Trouble>,
    /// How it ended: another may do better, whosever failure it is.
    came: Outcome,
    /// What the policies were told.
    outcome: Outcome,
    time: Time,
    took: Duration,
}

impl Time {
    /// What a caller with a rule for retries gives is the whole time that there is: nobody had more before,
    /// unless it says so.
    fn of(request: &Prepared, configured: Duration, now: Instant) -> Self {
        let own = Deadline::after(now, request.timeout.unwrap_or(configured));
        match request.deadline {
            Some(given) if given.at() < own.at() || request.retry.is_some() => Self {
                deadline: given,
                shortened: request.retry.is_none() || request.late,
            },
            _ => Self {
                deadline: own,
                shortened: false,
            },
        }
    }

    /// What an outcome means in this time.
    fn judged(self, outcome: Outcome) -> Outcome {
        if self.shortened {
            outcome.in_too_little_time()
        } else {
            outcome
        }
    }
}

impl Ended {
    /// The status, or the kind of failure.
    fn seen(&self) -> Result<u16, &'static str> {
        let answered = self.result.as_ref().map(|answer| answer.status);
        answered.map_err(Trouble::error_type)
    }

    fn nothing_written(&self) -> bool {
        self.result.as_ref().is_err_and(Trouble::nothing_written)
    }

    fn written(&self) -> bool {
        self.result.as_ref().map_or_else(Trouble::written, |_| true)
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

    async fn run(
        &self,
        request: Prepared,
        tell: Option<&dyn Fn(Made<'_>)>,
    ) -> Result<Answer, Error> {
        let started = Instant::now();
        let time = Time::of(&request, self.pool.config().timeout(), started);
        time.deadline
            .remaining(started)
            .ok_or_else(|| Error::deadline_exceeded(self.pool.name()))?;
        if request.retry.is_some() {
            self.pool.budget().request(started);
        }
        let mut call = self.pool.admit(started)?;
        let mut lease = call.lease(request.idempotent(), started)?;
        let ended = loop {
            let attempt = self.attempt(&request, &mut lease, time, call.tried().len() - 1);
            let ended = call.watch(None, attempt).await;
            lease.give_place_back();
            let another = self.another(&mut call, &request, &ended, &mut lease).await;
            if let Some(tell) = tell {
                tell(Made {
                    lease: &lease,
                    ended: ended.seen(),
                    took: ended.took,
                    last: another.as_ref().err().copied(),
                });
            }
            match another {
                Ok(next) => lease = next,
                Err(_) => break ended,
            }
        };
        call.settle(&ended.outcome, Instant::now());
        match ended.result {
            Ok(answer) => answer.judged(self.pool.name()),
            Err(trouble) => Err(self.explain(&trouble, &ended.outcome)),
        }
    }

    /// One attempt, in the time that the call has, or in its share of it where another may follow.
    async fn attempt(
        &self,
        request: &Prepared,
        lease: &mut Lease,
        time: Time,
        before: usize,
    ) -> Ended {
        let now = Instant::now();
        let remaining = time.deadline.remaining(now).unwrap_or_default();
        let given = request.retry.as_ref().map_or(remaining, |rule| {
            rule.attempt_timeout(remaining, before < rule.most as usize)
        });
        let resend = u32::try_from(before).unwrap_or(u32::MAX);
        let attempt = lease.attempt(&self.metrics, request.method.as_str(), resend);
        let exchange = self.transport.exchange(
            request,
            lease.endpoint().address,
            attempt.headers(),
            Deadline::after(now, given).hand_on(now),
        );
        let result = timeout(given, exchange).await.unwrap_or(Err(Trouble::Late));
        let came = result
            .as_ref()
            .map_or_else(Trouble::outcome, Answer::outcome);
        let outcome = time.judged(came.clone());
        let over = Instant::now();
        lease.settle(&outcome, over);
        if result.as_ref().is_ok_and(|answer| answer.draining) {
            lease.rest_draining(Instant::now());
        }
        let ended = Ended {
            result,
            came,
            outcome,
            time,
            took: over.saturating_duration_since(now),
        };
        attempt.finish(ended.seen());
        ended
    }

    /// Why there is no answer. Running out of less time than the call's configured timeout is nobody's failure: the
    /// caller was late.
    fn explain(&self, trouble: &Trouble, outcome: &Outcome) -> Error {
        let upstream = self.pool.name();
        let error = match trouble {
            Trouble::Late if *outcome == Outcome::DeadlineShort => {
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
