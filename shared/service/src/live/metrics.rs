//! What is counted of settings that change while the process runs. The store itself is `consul`'s to count.

use prometheus::{IntCounterVec, IntGauge, Opts, Registry};

pub(super) struct LiveMetrics {
    /// Changes of settings that are in force, by setting.
    applied: IntCounterVec,
    /// Changes of settings that were refused, by setting.
    refused: IntCounterVec,
    /// Keys whose value now is a refused one.
    refused_now: IntGauge,
}

impl LiveMetrics {
    pub(super) fn register(
        registry: &Registry,
        settings: impl Iterator<Item = &'static str>,
    ) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str| {
            let counter = IntCounterVec::new(Opts::new(name, help), &["setting"])?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let applied = counter(
            "lictor_kv_applied_total",
            "Changes of settings that are in force, by setting.",
        )?;
        let refused = counter(
            "lictor_kv_refused_total",
            "Changes of settings that were refused, by setting.",
        )?;
        for setting in settings {
            applied.with_label_values(&[setting]);
            refused.with_label_values(&[setting]);
        }
        let refused_now = IntGauge::new(
            "lictor_kv_refused_keys",
            "Keys whose value now is a refused one.",
        )?;
        registry.register(Box::new(refused_now.clone()))?;
        Ok(Self {
            applied,
            refused,
            refused_now,
        })
    }

    pub(super) fn applied(&self, setting: &str) {
        self.applied.with_label_values(&[setting]).inc();
    }

    pub(super) fn refused(&self, setting: &str) {
        self.refused.with_label_values(&[setting]).inc();
    }

    pub(super) fn refused_now(&self, keys: usize) {
        self.refused_now
            .set(i64::try_from(keys).unwrap_or(i64::MAX));
    }
}
