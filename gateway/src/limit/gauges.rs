//! How many clients the limits tell apart now, and how often they could not, because their memory was full.
//!
//! Read when metrics are gathered: a limiter is on every request's way and counts for itself already.

use std::sync::Arc;

use prometheus::{
    IntCounterVec, IntGaugeVec, Opts,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use resilience::limiter::Usage;

use super::Limits;

/// Two families over the limits of one gateway, by group.
pub struct Gauges {
    limits: Vec<(Arc<str>, Vec<Usage>)>,
    keys: IntGaugeVec,
    overflowed: IntCounterVec,
}

impl Gauges {
    /// # Errors
    /// A name that is no name.
    pub fn new(limits: &Limits) -> Result<Self, prometheus::Error> {
        Ok(Self {
            limits: limits.usages(),
            keys: IntGaugeVec::new(
                Opts::new(
                    "lictor_rate_limit_keys",
                    "Clients that a limit tells apart now; whoever has its full quota back is forgotten within a minute.",
                ),
                &["group"],
            )?,
            overflowed: IntCounterVec::new(
                Opts::new(
                    "lictor_rate_limit_overflow_total",
                    "Requests of clients that shared one quota, because as many as `limits.max_keys` were told apart already.",
                ),
                &["group"],
            )?,
        })
    }
}

impl Collector for Gauges {
    fn desc(&self) -> Vec<&Desc> {
        [self.keys.desc(), self.overflowed.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        for (group, usages) in &self.limits {
            let keys: usize = usages.iter().map(Usage::keys).sum();
            let keys = i64::try_from(keys).unwrap_or(i64::MAX);
            self.keys.with_label_values(&[&**group]).set(keys);
            let overflowed: u64 = usages.iter().map(Usage::overflowed).sum();
            let shown = self.overflowed.with_label_values(&[&**group]);
            shown.inc_by(overflowed.saturating_sub(shown.get()));
        }
        [self.keys.collect(), self.overflowed.collect()].concat()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::BTreeMap;

    use prometheus::Registry;

    use crate::client::Client;
    use crate::metrics::Metrics;

    use super::*;

    #[test]
    fn clients_are_counted_and_those_beyond_the_memory_are_told_apart_no_more() {
        let config = toml::from_str(
            "max_keys = 3\naddress = { requests = 9, per_ms = 60000, burst = 9 }\n[groups]\nusers = { requests = 9, per_ms = 60000, burst = 9 }\n",
        );
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).unwrap();
        let limits = Limits::new(&config.unwrap(), &BTreeMap::new(), &metrics);
        registry
            .register(Box::new(Gauges::new(&limits).unwrap()))
            .unwrap();
        let shown = |name: &str, group: &str| {
            let text = telemetry::metrics::text(&registry);
            let series = format!("{name}{{group=\"{group}\"}} ");
            let value = text.lines().find_map(|line| line.strip_prefix(&series));
            value.unwrap().parse::<u32>().unwrap()
        };
        assert_eq!(shown("lictor_rate_limit_keys", "address"), 0);
        for last in 1..=5 {
            let address = std::net::Ipv4Addr::new(192, 0, 2, last).into();
            let client = Client {
                address,
                key: address,
                trusted_peer: false,
            };
            limits.address(&client).1.unwrap();
            limits.address(&client).1.unwrap();
        }
        assert_eq!(shown("lictor_rate_limit_keys", "address"), 3);
        assert_eq!(shown("lictor_rate_limit_overflow_total", "address"), 4);
        // Looking does not count.
        assert_eq!(shown("lictor_rate_limit_overflow_total", "address"), 4);
        assert_eq!(shown("lictor_rate_limit_keys", "users"), 0);
    }
}
