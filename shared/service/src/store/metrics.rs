//! What is counted about the database: its connections (`pool.rs`), the wait for one (`waits.rs`), and how
//! long it takes to answer (`operations.rs`).

mod operations;
mod pool;
mod waits;

pub(super) use operations::{Operation, error_type};
pub(super) use waits::Awaited;

use operations::Operations;
use pool::Connections;
use prometheus::{HistogramOpts, HistogramVec, Registry};
use sqlx::AnyPool;
use waits::Waits;

/// An embedded database answers in tens of microseconds; nothing here waits longer than `store.wait_ms`, which is 2 s as shipped.
const BUCKETS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
];

/// One per store; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    pub(super) waits: Waits,
    pub(super) operations: Operations,
}

impl Metrics {
    /// Registers everything, once for the store.
    pub(super) fn register(registry: &Registry, pool: &AnyPool) -> Result<Self, prometheus::Error> {
        registry.register(Box::new(Connections::new(pool.clone())?))?;
        Ok(Self {
            waits: Waits::register(registry)?,
            operations: Operations::register(registry)?,
        })
    }
}

fn histogram(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<HistogramVec, prometheus::Error> {
    let opts = HistogramOpts::new(name, help).buckets(BUCKETS.to_vec());
    let histogram = HistogramVec::new(opts, labels)?;
    registry.register(Box::new(histogram.clone()))?;
    Ok(histogram)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::Store;
    use crate::config;
    use crate::faults::Faults;
    use prometheus::Registry;
    use sqlx::migrate::Migrator;

    /// One connection, and patience for a moment.
    pub(super) async fn store(directory: &std::path::Path, registry: &Registry) -> Store {
        let settings = config::Store {
            url: format!("sqlite://{}", directory.join("shop.db").display()),
            connections: 1,
            wait_ms: 50,
        };
        Store::open(&settings, &Migrator::DEFAULT, Faults::off(), registry)
            .await
            .unwrap()
    }

    pub(super) fn shown(registry: &Registry, series: &str) -> f64 {
        let text = telemetry::metrics::text(registry);
        let value = text.lines().find_map(|line| line.strip_prefix(series));
        let value = value.unwrap_or_else(|| panic!("no {series} in\n{text}"));
        value.trim().parse().unwrap()
    }
}
