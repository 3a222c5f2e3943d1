//! What discovery and registration show of themselves.
//!
//! The state of views is read when metrics are gathered, so that an age grows also while a watch hangs.
//! Labels are the logical service and closed sets; an address or an instance id is never one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{GaugeVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};
use resilience::endpoint::Health;

use crate::kv::KvMetrics;
use crate::view::{Condition, View};

/// The metrics of this crate; clones share them.
#[derive(Clone)]
pub struct Metrics {
    views: Arc<Mutex<Vec<View>>>,
    pub(crate) watch: WatchMetrics,
    pub(crate) registration: RegistrationMetrics,
    pub(crate) kv: KvMetrics,
}

#[derive(Clone)]
pub(crate) struct WatchMetrics {
    /// Health queries that brought no usable answer, by reason.
    pub(crate) errors: IntCounterVec,
    /// Entries of answers that could not be used: no IP, a forbidden address, a port out of range.
    pub(crate) skipped: IntCounterVec,
}

#[derive(Clone)]
pub(crate) struct RegistrationMetrics {
    /// 1 while the agent confirms this process's registration, else 0.
    pub(crate) state: IntGauge,
    /// Registrations sent and confirmed, by what made them necessary.
    pub(crate) total: IntCounterVec,
}

/// Gauges that are set from the views whenever they are gathered.
struct ViewMetrics {
    views: Arc<Mutex<Vec<View>>>,
    /// Seconds since Consul last confirmed what is known of a service.
    age: GaugeVec,
    /// Known instances of a service by health.
    endpoints: IntGaugeVec,
    /// Version of what is known of a service; rises with every change.
    version: IntGaugeVec,
    /// 1 while an answer of Consul is not believed, else 0.
    held: IntGaugeVec,
}

const STATES: [Health; 4] = [
    Health::Passing,
    Health::Warning,
    Health::Critical,
    Health::Maintenance,
];

// ---

impl Metrics {
    /// Makes the metrics and adds them to the registry.
    ///
    /// # Errors
    ///
    /// When the registry holds one of the names already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let views = Arc::new(Mutex::new(Vec::new()));
        registry.register(Box::new(ViewMetrics::new(Arc::clone(&views))?))?;
        let watch = WatchMetrics::new()?;
        registry.register(Box::new(watch.errors.clone()))?;
        registry.register(Box::new(watch.skipped.clone()))?;
        let registration = RegistrationMetrics::new()?;
        registry.register(Box::new(registration.state.clone()))?;
        registry.register(Box::new(registration.total.clone()))?;
        Ok(Self {
            views,
            watch,
            registration,
            kv: KvMetrics::register(registry)?,
        })
    }

    /// From now on the view's state is among the metrics.
    pub(crate) fn show(&self, view: &View) {
        self.watch.skipped.with_label_values(&[view.service()]);
        self.views
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(view.clone());
    }
}

impl WatchMetrics {
    fn new() -> Result<Self, prometheus::Error> {
        Ok(Self {
            errors: IntCounterVec::new(
                Opts::new(
                    "lictor_watch_errors_total",
                    "Health queries that brought no usable answer, by reason.",
                ),
                &["upstream", "reason"],
            )?,
            skipped: IntCounterVec::new(
                Opts::new(
                    "lictor_watch_skipped_endpoints_total",
                    "Entries of answers that could not be used: no IP, a forbidden address, a port out of range.",
                ),
                &["upstream"],
            )?,
        })
    }
}

impl RegistrationMetrics {
    fn new() -> Result<Self, prometheus::Error> {
        Ok(Self {
            state: IntGauge::new(
                "lictor_registration_state",
                "1 while the agent confirms this process's registration, else 0.",
            )?,
            total: IntCounterVec::new(
                Opts::new(
                    "lictor_registrations_total",
                    "Registrations sent and confirmed, by what made them necessary.",
                ),
                &["reason"],
            )?,
        })
    }
}

impl ViewMetrics {
    fn new(views: Arc<Mutex<Vec<View>>>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            views,
            age: GaugeVec::new(
                Opts::new(
                    "lictor_snapshot_age_seconds",
                    "Seconds since Consul last confirmed what is known of a service.",
                ),
                &["upstream"],
            )?,
            endpoints: IntGaugeVec::new(
                Opts::new(
                    "lictor_snapshot_endpoints",
                    "Known instances of a service by health.",
                ),
                &["upstream", "state"],
            )?,
            version: IntGaugeVec::new(
                Opts::new(
                    "lictor_snapshot_version",
                    "Version of what is known of a service; rises with every change.",
                ),
                &["upstream"],
            )?,
            held: IntGaugeVec::new(
                Opts::new(
                    "lictor_watch_held",
                    "1 while an answer of Consul is not believed, else 0.",
                ),
                &["upstream"],
            )?,
        })
    }

    fn set(&self, view: &View, now: Instant) {
        let service = [view.service()];
        let snapshot = view.current();
        if let Some(age) = view.age(now) {
            self.age.with_label_values(&service).set(age.as_secs_f64());
        }
        for state in STATES {
            let count = snapshot
                .endpoints()
                .iter()
                .filter(|endpoint| endpoint.health == state)
                .count();
            self.endpoints
                .with_label_values(&[view.service(), state.as_str()])
                .set(count as i64);
        }
        self.version
            .with_label_values(&service)
            .set(snapshot.version() as i64);
        self.held
            .with_label_values(&service)
            .set(i64::from(view.condition() == Condition::Held));
    }
}

impl Collector for ViewMetrics {
    fn desc(&self) -> Vec<&Desc> {
        [
            self.age.desc(),
            self.endpoints.desc(),
            self.version.desc(),
            self.held.desc(),
        ]
        .concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let now = Instant::now();
        for view in self
            .views
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
        {
            self.set(view, now);
        }
        [
            self.age.collect(),
            self.endpoints.collect(),
            self.version.collect(),
            self.held.collect(),
        ]
        .concat()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use prometheus::TextEncoder;

    use super::*;

    #[test]
    fn a_view_is_among_the_metrics_as_it_is_when_they_are_gathered() {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).unwrap();
        let (mut publisher, view) = crate::view::channel("users");
        metrics.show(&view);
        let text = || {
            TextEncoder::new()
                .encode_to_string(&registry.gather())
                .unwrap()
        };
        assert!(
            !text().contains("lictor_snapshot_age_seconds{"),
            "no age before the first answer"
        );

        publisher.accept(Vec::new(), Instant::now());
        let shown = text();
        assert!(
            shown.contains("lictor_snapshot_age_seconds{upstream=\"users\"}"),
            "{shown}"
        );
        assert!(
            shown.contains("lictor_snapshot_endpoints{state=\"passing\",upstream=\"users\"} 0"),
            "{shown}"
        );
        assert!(
            shown.contains("lictor_watch_held{upstream=\"users\"} 0"),
            "{shown}"
        );
        publisher.hold(Vec::new());
        assert!(text().contains("lictor_watch_held{upstream=\"users\"} 1"));
    }

    #[test]
    fn the_names_can_be_registered_once() {
        let registry = Registry::new();
        assert!(Metrics::register(&registry).is_ok());
        assert!(Metrics::register(&registry).is_err());
    }
}
