//! What can be seen of the keys: how many are known, and for how long nobody has confirmed them.
//!
//! Read when metrics are gathered, so that the age grows also while a refresh hangs.

use std::{sync::Arc, time::Instant};

use prometheus::{
    Gauge, IntGauge,
    core::{Collector, Desc},
    proto::MetricFamily,
};

use super::keyring::Keyring;

/// Two gauges over one keyring.
pub struct Gauges {
    keyring: Arc<Keyring>,
    keys: IntGauge,
    age: Gauge,
}

impl Gauges {
    /// # Errors
    /// A name that is no name.
    pub fn new(keyring: Arc<Keyring>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            keyring,
            keys: IntGauge::new("lictor_keyset_keys", "Keys that sign tokens and are known.")?,
            age: Gauge::new(
                "lictor_keyset_age_seconds",
                "Since the keys that sign tokens were last confirmed, or since the start.",
            )?,
        })
    }
}

impl Collector for Gauges {
    fn desc(&self) -> Vec<&Desc> {
        [self.keys.desc(), self.age.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.keys
            .set(i64::try_from(self.keyring.len()).unwrap_or(i64::MAX));
        self.age.set(self.keyring.age(Instant::now()).as_secs_f64());
        [self.keys.collect(), self.age.collect()].concat()
    }
}
