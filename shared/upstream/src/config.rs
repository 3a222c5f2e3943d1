//! `[upstreams.NAME]`: how a service is called. The policies' own numbers are their defaults.

use resilience::spill::SpillConfig;
use serde::Deserialize;
use std::fmt;
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
    /// Calls in flight per ordinary instance above which a zone sends calls away; its callers share them. Default 8.
    pub spill_target: Positive,
    /// Most that the part of the calls sent away moves in a second. Default 0.25: what leaves is seen in the load only
    /// when it would have ended.
    pub spill_step: Positive,
    /// How long the breaker stays open at most before it tries again, in ms. Default 60000; less where a
    /// service has to be back in use sooner than that after it has recovered.
    pub breaker_longest_ms: NonZeroU64,
}

/// A number above zero.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub struct Positive(f64);

/// A number that is not above zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NotPositive(f64);

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

    /// When a zone is too busy.
    pub fn spill(&self) -> SpillConfig {
        SpillConfig {
            target: self.spill_target.0,
            step: self.spill_step.0,
        }
    }

    /// How long the breaker stays open at most.
    pub fn breaker_longest(&self) -> Duration {
        Duration::from_millis(self.breaker_longest_ms.get())
    }

    /// Attempts that may run at a time.
    pub fn most_in_flight(&self) -> usize {
        self.most_in_flight.get() as usize
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
            spill_target: Positive(SpillConfig::default().target),
            spill_step: Positive(SpillConfig::default().step),
            breaker_longest_ms: positive(60_000),
        }
    }
}

impl TryFrom<f64> for Positive {
    type Error = NotPositive;

    fn try_from(number: f64) -> Result<Self, NotPositive> {
        (number > 0.0 && number.is_finite())
            .then_some(Self(number))
            .ok_or(NotPositive(number))
    }
}

impl fmt::Display for NotPositive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not above zero", self.0)
    }
}
