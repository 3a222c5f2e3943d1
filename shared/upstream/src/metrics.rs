//! What is counted about upstreams. Labels name the logical service, never an instance.
//!
//! [`Metrics`] is the process's, [`Meter`] one upstream's part of it: what every request touches is
//! looked up once, so that counting costs an atomic.

use crate::zone_flow::ZoneFlow;
use prometheus::core::Collector;
use prometheus::{
    Gauge, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};
use resilience::balancer::{Pick, PickReason};
use resilience::breaker::{State, Transition};
use resilience::endpoint::Zone;
use resilience::retry::Refusal;
use std::time::{SystemTime, UNIX_EPOCH};

/// The metrics of all pools of one process; clones share them.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Endpoints picked, by why that zone was chosen.
    picks: IntCounterVec,
    /// Calls refused before any attempt, by reason.
    refused: IntCounterVec,
    /// Attempts, by the zone that they go to.
    flow: IntCounterVec,
    /// Attempts that run now, answer bodies included.
    in_flight: IntGaugeVec,
    /// Attempts that may run at a time.
    in_flight_limit: IntGaugeVec,
    /// Breaker of the upstream: 0 closed, 1 half-open, 2 open.
    breaker_state: IntGaugeVec,
    /// Changes of the upstream's breaker, by new state.
    transitions: IntCounterVec,
    /// When the upstream's breaker last changed, Unix time.
    last_transition: GaugeVec,
    /// Changes of endpoints' own breakers, by new state.
    ejections: IntCounterVec,
    /// Endpoints that are ejected now.
    ejected: IntGaugeVec,
    /// Attempts after the first, by what the one before met.
    retries: IntCounterVec,
    /// Failed attempts that another could have bettered and that had none, by why.
    retries_refused: IntCounterVec,
}

/// The metrics of one pool.
#[derive(Debug)]
pub(crate) struct Meter {
    upstream: String,
    /// In the order in which the reasons are declared.
    picks: [IntCounter; PickReason::ALL.len()],
    flow: ZoneFlow,
    in_flight: IntGauge,
    breaker_state: IntGauge,
    last_transition: Gauge,
    ejected: IntGauge,
    all: Metrics,
}

impl Metrics {
    /// Registers every metric, once for the process.
    ///
    /// # Errors
    /// A name is registered already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        Ok(Self {
            picks: counter(
                registry,
                "lictor_picks_total",
                "Endpoints picked, by why that zone was chosen.",
                "reason",
            )?,
            refused: counter(
                registry,
                "lictor_calls_refused_total",
                "Calls refused before any attempt, by reason.",
                "reason",
            )?,
            flow: counter(
                registry,
                "lictor_zone_flow_total",
                "Attempts, by the zone that they go to.",
                "to_zone",
            )?,
            in_flight: gauge(
                registry,
                "lictor_upstream_in_flight",
                "Attempts that run now, answer bodies included.",
            )?,
            in_flight_limit: gauge(
                registry,
                "lictor_upstream_in_flight_limit",
                "Attempts that may run at a time.",
            )?,
            breaker_state: gauge(
                registry,
                "lictor_breaker_state",
                "Breaker of the upstream: 0 closed, 1 half-open, 2 open.",
            )?,
            transitions: counter(
                registry,
                "lictor_breaker_transitions_total",
                "Changes of the upstream's breaker, by new state.",
                "to",
            )?,
            last_transition: registered(
                registry,
                GaugeVec::new(
                    Opts::new(
                        "lictor_breaker_last_transition_timestamp_seconds",
                        "When the upstream's breaker last changed, Unix time.",
                    ),
                    &["upstream"],
                )?,
            )?,
            ejections: counter(
                registry,
                "lictor_ejections_total",
                "Changes of endpoints' own breakers, by new state.",
                "to",
            )?,
            ejected: gauge(
                registry,
                "lictor_ejected_endpoints",
                "Endpoints that are ejected now.",
            )?,
            retries: counter(
                registry,
                "lictor_retries_total",
                "Attempts after the first, by what the one before met.",
                "reason",
            )?,
            retries_refused: counter(
                registry,
                "lictor_retries_refused_total",
                "Failed attempts that another could have bettered and that had none, by why.",
                "reason",
            )?,
        })
    }

    /// One upstream's part, for callers in zone `local` that may make `limit` attempts at a time; its series exist from now on.
    pub(crate) fn of(&self, upstream: &str, local: &Zone, limit: usize) -> Meter {
        // Watched by alerts and dashboards: they start at 0, so that the first one is a change.
        self.retries_refused
            .with_label_values(&[upstream, Refusal::Budget.as_str()]);
        for state in [State::Closed, State::HalfOpen, State::Open] {
            for changes in [&self.transitions, &self.ejections] {
                changes.with_label_values(&[upstream, state.as_str()]);
            }
        }
        self.in_flight_limit
            .with_label_values(&[upstream])
            .set(i64::try_from(limit).unwrap_or(i64::MAX));
        Meter {
            upstream: upstream.to_owned(),
            picks: PickReason::ALL
                .map(|reason| self.picks.with_label_values(&[upstream, reason.as_str()])),
            flow: ZoneFlow::new(upstream, local, self.flow.clone()),
            in_flight: self.in_flight.with_label_values(&[upstream]),
            breaker_state: self.breaker_state.with_label_values(&[upstream]),
            last_transition: self.last_transition.with_label_values(&[upstream]),
            ejected: self.ejected.with_label_values(&[upstream]),
            all: self.clone(),
        }
    }
}

impl Meter {
    pub(crate) fn picked(&self, pick: &Pick) {
        self.picks[pick.reason() as usize].inc();
        self.flow.to(&pick.endpoint().zone);
    }

    pub(crate) fn refused(&self, reason: &str) {
        self.all
            .refused
            .with_label_values(&[&*self.upstream, reason])
            .inc();
    }

    pub(crate) fn in_flight(&self) -> &IntGauge {
        &self.in_flight
    }

    pub(crate) fn tripped(&self, transition: &Transition) {
        self.breaker_state.set(level(transition.to));
        let to = transition.to.as_str();
        self.all
            .transitions
            .with_label_values(&[&*self.upstream, to])
            .inc();
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        self.last_transition.set(now.as_secs_f64());
    }

    pub(crate) fn ejection(&self, transition: &Transition) {
        let to = transition.to.as_str();
        self.all
            .ejections
            .with_label_values(&[&*self.upstream, to])
            .inc();
    }

    pub(crate) fn ejected(&self, ejected: usize) {
        self.ejected.set(i64::try_from(ejected).unwrap_or(i64::MAX));
    }

    pub(crate) fn retried(&self, reason: &str) {
        self.all
            .retries
            .with_label_values(&[&*self.upstream, reason])
            .inc();
    }

    pub(crate) fn not_retried(&self, refusal: Refusal) {
        self.all
            .retries_refused
            .with_label_values(&[&*self.upstream, refusal.as_str()])
            .inc();
    }
}

fn level(state: State) -> i64 {
    match state {
        State::Closed => 0,
        State::HalfOpen => 1,
        State::Open => 2,
    }
}

fn counter(
    registry: &Registry,
    name: &str,
    help: &str,
    label: &str,
) -> Result<IntCounterVec, prometheus::Error> {
    registered(
        registry,
        IntCounterVec::new(Opts::new(name, help), &["upstream", label])?,
    )
}

fn gauge(registry: &Registry, name: &str, help: &str) -> Result<IntGaugeVec, prometheus::Error> {
    registered(
        registry,
        IntGaugeVec::new(Opts::new(name, help), &["upstream"])?,
    )
}

fn registered<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}
