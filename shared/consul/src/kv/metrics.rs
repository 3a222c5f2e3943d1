//! What following the KV store shows of itself. What became of the values is counted by whoever applies them.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, IntCounterVec, IntGauge, Opts, Registry};

use super::Followed;

/// Clones share the metrics.
#[derive(Clone)]
pub(crate) struct KvMetrics {
    followed: Arc<OnceLock<Followed>>,
    /// Turns of the watch that brought no usable map, by reason.
    errors: IntCounterVec,
}

/// Gauges that are set from the map whenever they are gathered, so that its age grows also while the watch hangs.
struct MapMetrics {
    followed: Arc<OnceLock<Followed>>,
    /// Seconds since Consul last confirmed the last good settings.
    age: Gauge,
    /// Keys of the last good settings.
    keys: IntGauge,
}

// ---

impl KvMetrics {
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let followed = Arc::new(OnceLock::new());
        registry.register(Box::new(MapMetrics {
            followed: Arc::clone(&followed),
            age: Gauge::new(
                "lictor_kv_age_seconds",
                "Seconds since Consul last confirmed the last good settings.",
            )?,
            keys: IntGauge::new("lictor_kv_keys", "Keys of the last good settings.")?,
        }))?;
        let errors = IntCounterVec::new(
            Opts::new(
                "lictor_kv_errors_total",
                "Turns of the watch of settings that brought no usable map, by reason.",
            ),
            &["reason"],
        )?;
        registry.register(Box::new(errors.clone()))?;
        Ok(Self { followed, errors })
    }

    /// From now on the state of the map is among the metrics. A process follows one prefix.
    pub(crate) fn show(&self, followed: &Followed) {
        let _ = self.followed.set(followed.clone());
    }

    pub(crate) fn failed(&self, reason: &'static str) {
        self.errors.with_label_values(&[reason]).inc();
    }
}

impl Collector for MapMetrics {
    fn desc(&self) -> Vec<&Desc> {
        [self.age.desc(), self.keys.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let Some(followed) = self.followed.get() else {
            return Vec::new();
        };
        let Some(age) = followed.age(Instant::now()) else {
            return Vec::new();
        };
        self.age.set(age.as_secs_f64());
        let keys = followed.current().len();
        self.keys.set(i64::try_from(keys).unwrap_or(i64::MAX));
        [self.age.collect(), self.keys.collect()].concat()
    }
}
