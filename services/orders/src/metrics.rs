//! What is counted about orders beside their requests.

use crate::checkout::End;
use crate::order::Unsettled;
use crate::status::Status;
use prometheus::core::Collector;
use prometheus::{Gauge, IntCounterVec, IntGaugeVec, Opts, Registry};

/// The metrics of one process; clones share them.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Orders that are not settled, by status, in the whole store.
    unsettled: IntGaugeVec,
    /// Age of the oldest of them; 0 without any.
    oldest: Gauge,
    /// Orders that the reconciler brought to an end, by which.
    settled: IntCounterVec,
    /// Since the whole stock was last heard from inventory; -1 if never.
    stock_age: Gauge,
}

impl Metrics {
    /// Registers every metric, once for the process.
    ///
    /// # Errors
    /// A name is registered already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let unsettled = Opts::new(
            "lictor_orders_unsettled",
            "Orders that are not settled, in the whole store.",
        );
        let settled = Opts::new(
            "lictor_orders_settled_total",
            "Orders that the reconciler brought to an end.",
        );
        let metrics = Self {
            unsettled: registered(registry, IntGaugeVec::new(unsettled, &["status"])?)?,
            oldest: registered(
                registry,
                Gauge::new(
                    "lictor_orders_oldest_unsettled_age_seconds",
                    "Age of the oldest order that is not settled.",
                )?,
            )?,
            settled: registered(registry, IntCounterVec::new(settled, &["outcome"])?)?,
            stock_age: registered(
                registry,
                Gauge::new(
                    "lictor_orders_known_stock_age_seconds",
                    "Since the whole stock was last heard from inventory; -1 if never.",
                )?,
            )?,
        };
        for end in End::ALL {
            metrics.settled.with_label_values(&[end.as_str()]);
        }
        metrics.stock_age.set(-1.0);
        Ok(metrics)
    }

    pub(crate) fn unsettled(&self, unsettled: &Unsettled) {
        for status in Status::UNSETTLED {
            let orders = unsettled.orders.get(&status).copied().unwrap_or(0);
            self.unsettled
                .with_label_values(&[status.as_str()])
                .set(orders);
        }
        self.oldest.set(seconds(unsettled.oldest_ms));
    }

    pub(crate) fn settled(&self, end: End) {
        self.settled.with_label_values(&[end.as_str()]).inc();
    }

    pub(crate) fn stock_age(&self, age_ms: Option<i64>) {
        self.stock_age.set(age_ms.map_or(-1.0, seconds));
    }
}

fn registered<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}
