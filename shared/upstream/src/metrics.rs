//! What is counted about upstreams. Labels name the logical service, never an instance.

use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec, Opts, Registry};
use resilience::breaker::{State, Transition};
use std::time::{SystemTime, UNIX_EPOCH};

/// The metrics of all pools of one process; clones share them.
#[derive(Debug, Clone)]
pub struct Metrics {
    picks: IntCounterVec,
    refused: IntCounterVec,
    breaker_state: IntGaugeVec,
    transitions: IntCounterVec,
    last_transition: GaugeVec,
    ejections: IntCounterVec,
    ejected: IntGaugeVec,
    retries: IntCounterVec,
}

impl Metrics {
    /// Registers every metric, once for the process.
    ///
    /// # Errors
    /// A name is registered already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            picks: IntCounterVec::new(
                Opts::new(
                    "lictor_picks_total",
                    "Endpoints picked, by why that zone was chosen.",
                ),
                &["upstream", "reason"],
            )?,
            refused: IntCounterVec::new(
                Opts::new(
                    "lictor_calls_refused_total",
                    "Calls refused before any attempt, by reason.",
                ),
                &["upstream", "reason"],
            )?,
            breaker_state: IntGaugeVec::new(
                Opts::new(
                    "lictor_breaker_state",
                    "Breaker of the upstream: 0 closed, 1 half-open, 2 open.",
                ),
                &["upstream"],
            )?,
            transitions: IntCounterVec::new(
                Opts::new(
                    "lictor_breaker_transitions_total",
                    "Changes of the upstream's breaker, by new state.",
                ),
                &["upstream", "to"],
            )?,
            last_transition: GaugeVec::new(
                Opts::new(
                    "lictor_breaker_last_transition_timestamp_seconds",
                    "When the upstream's breaker last changed, Unix time.",
                ),
                &["upstream"],
            )?,
            ejections: IntCounterVec::new(
                Opts::new(
                    "lictor_ejections_total",
                    "Changes of endpoints' own breakers, by new state.",
                ),
                &["upstream", "to"],
            )?,
            ejected: IntGaugeVec::new(
                Opts::new(
                    "lictor_ejected_endpoints",
                    "Endpoints that are ejected now.",
                ),
                &["upstream"],
            )?,
            retries: IntCounterVec::new(
                Opts::new(
                    "lictor_retries_total",
                    "Attempts after the first, by what the one before met.",
                ),
                &["upstream", "reason"],
            )?,
        };
        registry.register(Box::new(metrics.picks.clone()))?;
        registry.register(Box::new(metrics.refused.clone()))?;
        registry.register(Box::new(metrics.breaker_state.clone()))?;
        registry.register(Box::new(metrics.transitions.clone()))?;
        registry.register(Box::new(metrics.last_transition.clone()))?;
        registry.register(Box::new(metrics.ejections.clone()))?;
        registry.register(Box::new(metrics.ejected.clone()))?;
        registry.register(Box::new(metrics.retries.clone()))?;
        Ok(metrics)
    }

    pub(crate) fn known(&self, upstream: &str) {
        self.breaker_state.with_label_values(&[upstream]).set(0);
        self.ejected.with_label_values(&[upstream]).set(0);
    }

    pub(crate) fn picked(&self, upstream: &str, reason: &'static str) {
        self.picks.with_label_values(&[upstream, reason]).inc();
    }

    pub(crate) fn refused(&self, upstream: &str, reason: &'static str) {
        self.refused.with_label_values(&[upstream, reason]).inc();
    }

    pub(crate) fn tripped(&self, upstream: &str, transition: &Transition) {
        self.breaker_state
            .with_label_values(&[upstream])
            .set(level(transition.to));
        self.transitions
            .with_label_values(&[upstream, transition.to.as_str()])
            .inc();
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        self.last_transition
            .with_label_values(&[upstream])
            .set(now.as_secs_f64());
    }

    pub(crate) fn ejection(&self, upstream: &str, transition: &Transition, ejected: usize) {
        self.ejections
            .with_label_values(&[upstream, transition.to.as_str()])
            .inc();
        self.ejected(upstream, ejected);
    }

    pub(crate) fn ejected(&self, upstream: &str, ejected: usize) {
        self.ejected
            .with_label_values(&[upstream])
            .set(i64::try_from(ejected).unwrap_or(i64::MAX));
    }

    pub(crate) fn retried(&self, upstream: &str, reason: &'static str) {
        self.retries.with_label_values(&[upstream, reason]).inc();
    }
}

fn level(state: State) -> i64 {
    match state {
        State::Closed => 0,
        State::HalfOpen => 1,
        State::Open => 2,
    }
}
