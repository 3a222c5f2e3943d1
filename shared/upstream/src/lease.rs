//! What a request holds while it uses an upstream, given back whatever becomes of the request.
//!
//! A [`Call`] is the service breaker's permit and is told the final result. A [`Lease`] is one
//! attempt: an endpoint, its own permit and its in-flight slot. The breaker is told at the head of
//! the answer; the slot is held until the lease is dropped, so it travels with the body.
//! Dropped unsettled, both count as neither success nor failure; so does a call for which there is no endpoint.
//! The time in which a client's body was awaited is not the upstream's: both clocks start that much later.

mod another;

pub use another::Over;

use crate::error::Error;
use crate::pool::Pool;
use crate::stream::Flow;
use resilience::balancer::{Ask, Pick, PickReason};
use resilience::breaker::{Permit, Receipt, Source};
use resilience::classify::{Outcome, Verdict};
use resilience::endpoint::{Endpoint, EndpointId};
use std::sync::Arc;
use std::time::{Duration, Instant};
use telemetry::http::{Attempt, ClientMetrics, Peer};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout_at;

/// A draining endpoint rests this long, or until Consul's next answer leaves it out.
const DRAINING_REST: Duration = Duration::from_secs(5);

/// A call that is nearly slow while its client is waited for is not looked at more often than this.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// One request's permission to use an upstream.
#[derive(Debug)]
pub struct Call {
    pool: Arc<Pool>,
    permit: Option<Permit>,
    /// When the upstream's time began.
    since: Instant,
    tried: Vec<EndpointId>,
}

/// One attempt on one endpoint.
#[derive(Debug)]
pub struct Lease {
    pool: Arc<Pool>,
    pick: Pick,
    place: Option<Place>,
    told: Option<Told>,
}

/// What the service's breaker was told of a call, for the case that the answer's body is cut after all.
#[derive(Debug)]
pub struct Told {
    receipt: Receipt,
    tried: Vec<EndpointId>,
}

/// One of the upstream's places: as many attempts as it has may run at a time.
#[derive(Debug)]
struct Place {
    pool: Arc<Pool>,
    _permit: OwnedSemaphorePermit,
}

impl Call {
    pub(crate) fn new(pool: Arc<Pool>, permit: Permit, now: Instant) -> Self {
        Self {
            pool,
            permit: Some(permit),
            since: now,
            tried: Vec::new(),
        }
    }

    /// The upstream it is for.
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// The endpoints that were leased, in turn.
    pub fn tried(&self) -> &[EndpointId] {
        &self.tried
    }

    /// Picks an endpoint that was not tried yet, as long as there is one.
    /// The breaker may have opened since the call was admitted: then it has had its attempts, because a service that is failing sees nothing but probes.
    ///
    /// # Errors
    /// `no_endpoint`: nobody is registered, well and allowed to be tried. `circuit_open`: for another attempt only.
    pub fn lease(&mut self, idempotent: bool, now: Instant) -> Result<Lease, Error> {
        let pool = &self.pool;
        if !self.tried.is_empty()
            && let Some(retry_after) = pool.held_back(now)
        {
            return Err(pool.circuit_open(retry_after));
        }
        let Some(place) = Place::take(pool) else {
            return Err(pool.refused(Error::bulkhead_full(pool.name())));
        };
        let ask = Ask {
            tried: &self.tried,
            idempotent,
        };
        match pool.balancer.pick(&ask, now, &mut rand::rng()) {
            Ok(pick) => {
                pool.meter.picked(&pick);
                if let Some(transition) = pick.transition() {
                    pool.ejected(&pick.endpoint().id, transition);
                }
                self.tried.push(pick.endpoint().id.clone());
                Ok(Lease {
                    pool: pool.clone(),
                    pick,
                    place: Some(place),
                    told: None,
                })
            }
            Err(none) => Err(pool.refused(Error::no_endpoint(pool.name(), none.retry_after))),
        }
    }

    /// Does that work, and counts the call as slow the moment it is, not when it ends.
    /// The time in which the client's body was awaited, if it flows, is not counted.
    pub async fn watch<T>(&mut self, upload: Option<&Flow>, work: impl Future<Output = T>) -> T {
        let Some(slow_call) = self.pool.slow_call() else {
            return work.await;
        };
        let mut work = std::pin::pin!(work);
        let began = self.since;
        let mut slow_at = self.since + slow_call;
        loop {
            let done = timeout_at(slow_at.into(), &mut work).await;
            let now = Instant::now();
            if let Some(upload) = upload {
                self.since = began + upload.awaited(now);
            }
            if let Ok(done) = done {
                return done;
            }
            // Nothing is missed by sleeping: a body that was awaited makes the call slow that much later.
            let due = self.since + slow_call;
            if due <= now {
                self.slow(now);
                return work.await;
            }
            slow_at = due.max(now + LOOK_AGAIN);
        }
    }

    /// So long nobody was asked: that makes no call slow.
    fn waited(&mut self, time: Duration) {
        self.since += time;
    }

    /// The call has just passed the time after which it counts as slow, though it may still succeed.
    pub fn slow(&mut self, now: Instant) {
        let source = source(&self.pool, &self.tried);
        if let Some(permit) = &mut self.permit
            && let Some(transition) = self
                .pool
                .breaker
                .slow(permit, source, now, &mut rand::rng())
        {
            self.pool.tripped(&transition);
        }
    }

    /// Tells the service's breaker the final result, retries included. Whose answer still flows takes what is returned
    /// along with it ([`Lease::carry`]).
    pub fn settle(mut self, outcome: &Outcome, now: Instant) -> Option<Told> {
        let permit = self.permit.take()?;
        let receipt = permit.receipt();
        let elapsed = now.saturating_duration_since(self.since);
        let source = source(&self.pool, &self.tried);
        let settled = self.pool.breaker.settle(
            permit,
            outcome.verdict(),
            elapsed,
            source,
            now,
            &mut rand::rng(),
        );
        if let Some(transition) = settled {
            self.pool.tripped(&transition);
        }
        // What had failed before its body was cut has been counted.
        (outcome.verdict() == Verdict::Success).then_some(Told {
            receipt,
            tried: self.tried,
        })
    }
}

impl Lease {
    /// Where to call.
    pub fn endpoint(&self) -> &Endpoint {
        self.pick.endpoint()
    }

    /// Why there.
    pub fn reason(&self) -> PickReason {
        self.pick.reason()
    }

    /// Whether this attempt tests an ejected endpoint.
    pub fn is_probe(&self) -> bool {
        self.pick.probe()
    }

    /// Whether the endpoint is in the caller's zone.
    pub fn is_local(&self) -> bool {
        &self.endpoint().zone == self.pool().balancer.local()
    }

    fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The attempt is over, and others may have its place while its request waits for another attempt.
    pub fn give_place_back(&mut self) {
        self.place = None;
    }

    /// Takes along what the service's breaker was told of this answer.
    pub fn carry(&mut self, told: Option<Told>) {
        self.told = told;
    }

    /// Starts the attempt's span and clock.
    pub fn attempt(&self, metrics: &ClientMetrics, method: &str, resend: u32) -> Attempt {
        let endpoint = self.endpoint();
        let peer = Peer {
            instance: endpoint.id.as_str(),
            zone: endpoint.zone.as_str(),
            address: endpoint.address,
            pick_reason: self.reason().as_str(),
            breaker_state: self.pool().breaker.state().as_str(),
            local: self.is_local(),
        };
        Attempt::start(metrics, self.pool().name(), method, &peer, resend)
    }

    /// So much of the endpoint's time went by waiting for the client's body.
    pub fn waited_for_client(&mut self, time: Duration) {
        self.pick.kept_waiting(time);
    }

    /// Tells the endpoint's breaker and the balancer what came of the attempt. The slot stays taken.
    pub fn settle(&mut self, outcome: &Outcome, now: Instant) {
        let pool = &self.pool;
        let settled = pool
            .balancer
            .settle(&mut self.pick, outcome, now, &mut rand::rng());
        if let Some(ejection) = settled {
            pool.ejected(&ejection.id, &ejection.transition);
        }
    }

    /// The body broke off after a good head: one failure more, for the endpoint and for its service.
    pub fn body_cut(&mut self, now: Instant) {
        let pool = &self.pool;
        let cut = pool
            .balancer
            .late_failure(&self.pick, now, &mut rand::rng());
        if let Some(ejection) = cut {
            pool.ejected(&ejection.id, &ejection.transition);
        }
        let tripped = self.told.take().and_then(|told| {
            let source = source(pool, &told.tried);
            pool.breaker
                .late_failure(told.receipt, source, now, &mut rand::rng())
        });
        if let Some(transition) = tripped {
            pool.tripped(&transition);
        }
    }

    /// The endpoint said that it leaves: last choice until Consul's next answer, or 5 s.
    pub fn rest_draining(&self, now: Instant) {
        self.pool()
            .balancer
            .rest_draining(&self.endpoint().id, now + DRAINING_REST);
    }
}

/// Whose doing it is that calls which went there end as they do.
fn source<'a>(pool: &Pool, tried: &'a [EndpointId]) -> Source<'a> {
    Source {
        endpoints: tried,
        peers: pool.balancer.has_peers(tried),
    }
}

impl Place {
    fn take(pool: &Arc<Pool>) -> Option<Self> {
        let permit = pool.places.clone().try_acquire_owned().ok()?;
        pool.meter.in_flight().inc();
        Some(Self {
            pool: pool.clone(),
            _permit: permit,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.pool.meter.in_flight().dec();
    }
}
