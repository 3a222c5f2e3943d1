//! One upstream service seen by one process: who exists, who is well, who is next.
//!
//! The pool follows Consul's view of the service and of its own callers, and feeds both to the
//! balancer. It turns policy decisions into metrics and log lines, which policies never make.

use crate::config::PoolConfig;
use crate::error::Error;
use crate::lease::Call;
use crate::metrics::{Meter, Metrics};
use crate::status::Status;
use actix_web::rt;
use consul::View;
use resilience::balancer::{Balancer, BalancerConfig};
use resilience::breaker::{Breaker, BreakerConfig, Mode, State, Transition};
use resilience::endpoint::{EndpointId, Snapshot, Zone};
use resilience::retry::{Budget, Refusal};
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, watch};

/// What a trace shows in the place of a call that was never made. Not a client span: nothing was sent, and its short
/// time would flatter the latency of calls.
const REFUSED: &str = "call refused";

/// An upstream service, shared by all workers of the process.
pub struct Pool {
    name: Arc<str>,
    config: PoolConfig,
    view: View,
    own: View,
    budget: Budget,
    pub(crate) places: Arc<Semaphore>,
    pub(crate) balancer: Balancer,
    pub(crate) breaker: Arc<Breaker>,
    pub(crate) meter: Meter,
    slow_call: Option<Duration>,
}

impl Pool {
    /// Starts to follow `view`, the upstream's instances, and `own`, the callers'.
    /// Must be called on a runtime's thread; the following ends when the pool is dropped.
    pub fn new(
        name: &str,
        config: PoolConfig,
        local: Zone,
        view: View,
        own: View,
        metrics: Metrics,
    ) -> Arc<Self> {
        let balancing = BalancerConfig {
            slow_start: config.slow_start(),
            spill: config.spill(),
            ..BalancerConfig::default()
        };
        let rule = BreakerConfig {
            longest: config.breaker_longest(),
            ..BreakerConfig::service()
        };
        let places = config.most_in_flight().min(Semaphore::MAX_PERMITS);
        let pool = Arc::new(Self {
            name: Arc::from(name),
            meter: metrics.of(name, &local, places),
            balancer: Balancer::new(balancing, local, Instant::now()),
            slow_call: rule.slow.as_ref().map(|slow| slow.call),
            breaker: Breaker::new(rule),
            budget: Budget::new(),
            places: Arc::new(Semaphore::new(places)),
            config,
            view,
            own,
        });
        // Subscribed before the first look: no change can fall between.
        let changes = [pool.view.subscribe(), pool.own.subscribe()];
        pool.refresh(Instant::now());
        for changes in changes {
            rt::spawn(follow(Arc::downgrade(&pool), changes));
        }
        pool
    }

    /// Its name in Consul.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it is called.
    pub fn config(&self) -> &PoolConfig {
        &self.config
    }

    /// What Consul says of it.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// What retries towards it are paid from.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Asks the service's breaker for one call.
    ///
    /// # Errors
    /// `circuit_open`, at once, while the service is failing or an operator holds its breaker open.
    pub fn admit(self: &Arc<Self>, now: Instant) -> Result<Call, Error> {
        match self.breaker.try_acquire(now) {
            Ok((permit, transition)) => {
                if let Some(transition) = transition {
                    self.tripped(&transition);
                }
                Ok(Call::new(self.clone(), permit, now))
            }
            Err(rejected) => Err(self.circuit_open(rejected.retry_after)),
        }
    }

    /// While the service's breaker lets nobody in: the time until it may.
    pub fn held_back(&self, now: Instant) -> Option<Duration> {
        let breaker = self.breaker.status(now);
        let open = match breaker.mode {
            Mode::Auto => breaker.state == State::Open,
            Mode::ForcedOpen => true,
            Mode::Disabled | Mode::Observe => false,
        };
        open.then(|| breaker.opens_for.unwrap_or_default())
    }

    /// A refusal of the breaker, in words that say who decided it.
    pub(crate) fn circuit_open(&self, retry_after: Duration) -> Error {
        let error = match self.breaker.mode() {
            Mode::ForcedOpen => Error::forced_open(&self.name, retry_after),
            Mode::Auto | Mode::Disabled | Mode::Observe => {
                Error::circuit_open(&self.name, retry_after)
            }
        };
        self.refused(error)
    }

    /// Counts an attempt after the first.
    pub fn retried(&self, reason: &'static str) {
        self.meter.retried(reason);
    }

    /// Counts a failed attempt after which there is none, if another could have done better.
    pub fn not_retried(&self, refusal: Refusal) {
        if refusal != Refusal::Final {
            self.meter.not_retried(refusal);
        }
    }

    /// The time after which a call counts as slow, if slowness opens the breaker.
    pub fn slow_call(&self) -> Option<Duration> {
        self.slow_call
    }

    /// What an operator decides about its breaker.
    pub fn set_breaker_mode(&self, mode: Mode, now: Instant) {
        if let Some(transition) = self.breaker.set_mode(mode, now) {
            self.tripped(&transition);
        }
    }

    /// What an operator wants to see of it.
    pub fn status(&self, now: Instant) -> Status {
        Status::of(self, now)
    }

    /// A call, or another attempt of it, is not made for this reason of our own: counts it, and shows it in the trace,
    /// where an attempt that was never begun has no span.
    pub(crate) fn refused(&self, error: Error) -> Error {
        self.meter.refused(error.own_code());
        let span = telemetry::span::internal(REFUSED);
        if span.is_sampled() {
            span.attribute("lictor.upstream", self.name.clone());
            span.attribute("lictor.breaker_state", self.breaker.state().as_str());
            span.fail(error.own_code());
        }
        error
    }

    pub(crate) fn tripped(&self, transition: &Transition) {
        self.meter.tripped(transition);
        tracing::warn!(
            upstream = %self.name,
            from = transition.from.as_str(),
            to = transition.to.as_str(),
            reason = transition.reason.as_str(),
            "breaker changed"
        );
    }

    pub(crate) fn ejected(&self, instance: &EndpointId, transition: &Transition) {
        self.meter.ejection(transition);
        self.meter.ejected(self.balancer.ejected());
        tracing::warn!(
            upstream = %self.name,
            instance = %instance,
            to = transition.to.as_str(),
            reason = transition.reason.as_str(),
            "endpoint changed"
        );
    }

    fn refresh(&self, now: Instant) {
        let callers = self.own.current().callers();
        for ejection in self.balancer.update(&self.view.current(), &callers, now) {
            self.ejected(&ejection.id, &ejection.transition);
        }
        self.meter.ejected(self.balancer.ejected());
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pool({})", self.name)
    }
}

async fn follow(pool: Weak<Pool>, mut changes: watch::Receiver<Arc<Snapshot>>) {
    while changes.changed().await.is_ok() {
        match pool.upgrade() {
            Some(pool) => pool.refresh(Instant::now()),
            None => return,
        }
    }
}
