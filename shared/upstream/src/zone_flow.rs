//! Where the calls of one upstream go, by zone.
//!
//! The names of zones come from whoever registers with Consul, so they are no closed set: the first sixteen have a series
//! each, all further ones share `_other`. The caller's own zone is not a label here: a process has one, and its scrape says it.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use prometheus::{IntCounter, IntCounterVec};
use resilience::endpoint::Zone;

/// Regions have three to six zones; this is room for a mistake, not for an attack.
const MOST_ZONES: usize = 16;

/// What zones beyond the most are called.
const OTHERS: &str = "_other";

/// The counters of one upstream, a lookup apart.
#[derive(Debug)]
pub(crate) struct ZoneFlow {
    upstream: String,
    counters: RwLock<BTreeMap<Zone, IntCounter>>,
    all: IntCounterVec,
}

impl ZoneFlow {
    /// `all` has the labels `upstream` and `to_zone`. The caller's own zone has its series from now on.
    pub(crate) fn new(upstream: &str, local: &Zone, all: IntCounterVec) -> Self {
        let flow = Self {
            upstream: upstream.to_owned(),
            counters: RwLock::default(),
            all,
        };
        flow.add(local);
        flow
    }

    /// An attempt goes there.
    pub(crate) fn to(&self, zone: &Zone) {
        let known = self.counters.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(counter) = known.get(zone) {
            return counter.inc();
        }
        drop(known);
        self.add(zone).inc();
    }

    fn add(&self, zone: &Zone) -> IntCounter {
        let counter = |name| self.all.with_label_values(&[&*self.upstream, name]);
        let mut known = self
            .counters
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_ZONES && !known.contains_key(zone) {
            return counter(OTHERS);
        }
        let made = || counter(zone.as_str());
        known.entry(zone.clone()).or_insert_with(made).clone()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use prometheus::Opts;
    use prometheus::core::Collector as _;

    use super::*;

    #[test]
    fn every_zone_is_counted_and_invented_ones_share_a_series() {
        let opts = Opts::new("zone_flow_total", "Where calls go.");
        let all = IntCounterVec::new(opts, &["upstream", "to_zone"]).unwrap();
        let flow = ZoneFlow::new("users", &Zone::new("a"), all.clone());
        let to = |zone: &str| all.with_label_values(&["users", zone]).get();
        assert_eq!(to("a"), 0);
        flow.to(&Zone::new("a"));
        flow.to(&Zone::new("b"));
        flow.to(&Zone::new("b"));
        assert_eq!((to("a"), to("b")), (1, 2));
        for number in 0..500 {
            flow.to(&Zone::new(&format!("invented-{number}")));
        }
        let series = all.collect()[0].get_metric().len();
        assert_eq!(series, MOST_ZONES + 1);
        assert_eq!(to(OTHERS), 500 - (MOST_ZONES as u64 - 2));
    }
}
