//! What is broken on purpose, and how often it struck.

use super::active::Active;
use super::fault::Kind;
use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};

/// One per process.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    active: IntGaugeVec,
    injected: IntCounterVec,
}

impl Metrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let active = IntGaugeVec::new(
            Opts::new(
                "lictor_faults_active",
                "Faults on demand that are set now, by kind.",
            ),
            &["kind"],
        )?;
        let injected = IntCounterVec::new(
            Opts::new(
                "lictor_faults_injected_total",
                "Requests, statements, health answers and connections that a fault on demand struck.",
            ),
            &["kind"],
        )?;
        registry.register(Box::new(active.clone()))?;
        registry.register(Box::new(injected.clone()))?;
        let metrics = Self { active, injected };
        metrics.set(&[]);
        Ok(metrics)
    }

    pub(super) fn set(&self, active: &[Active]) {
        for kind in Kind::ALL {
            let count = active.iter().filter(|one| one.fault.kind() == kind).count();
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.active.with_label_values(&[kind.as_str()]).set(count);
        }
    }

    pub(super) fn injected(&self, kind: Kind) {
        self.injected.with_label_values(&[kind.as_str()]).inc();
    }
}
