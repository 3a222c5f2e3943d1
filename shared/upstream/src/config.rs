//! `[upstreams.NAME]`: how a service is called. The policies' own numbers are their defaults.

use serde::Deserialize;
use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

/// Settings of one upstream; every key may be left out.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PoolConfig {
    /// How long a JSON call may take, in ms. Default 1000: an answer of ours takes a few.
    pub timeout_ms: NonZeroU64,
    /// How long a connection may take, in ms. Default 500.
    pub connect_timeout_ms: NonZeroU64,
    /// How long a new instance's share rises, in ms. Default 10000; 0 gives it all at once.
    pub slow_start_ms: u64,
    /// Attempts that may run at a time in this process. Default 1024: a slow upstream cannot take all there is.
    pub most_in_flight: NonZeroU32,
}

impl PoolConfig {
    /// How long a JSON call may take.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.get())
    }

    /// How long a connection may take.
    pub fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms.get())
    }

    /// How long a new instance's share rises.
    pub fn slow_start(&self) -> Duration {
        Duration::from_millis(self.slow_start_ms)
    }

    /// Attempts that may run at a time.
    pub fn most_in_flight(&self) -> i64 {
        i64::from(self.most_in_flight.get())
    }
}

impl Default for PoolConfig {
    fn default() -> Self {
        let positive = |millis| NonZeroU64::new(millis).expect("the defaults are not zero");
        Self {
            timeout_ms: positive(1000),
            connect_timeout_ms: positive(500),
            slow_start_ms: 10_000,
            most_in_flight: NonZeroU32::new(1024).expect("the defaults are not zero"),
        }
    }
}
