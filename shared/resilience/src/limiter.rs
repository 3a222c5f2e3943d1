//! Rate limits: how many requests one key may make.
//!
//! GCRA by governor, whose `check_key` reads a clock: the one exception to "time is an argument", and tests pass a fake
//! one.
//! A request is charged N cells, N being the gateways that share the quota, so that their sum never exceeds it and no
//! common store is needed; a change of N refills nobody, since what a key has used is not touched.
//! Memory is bounded: at the cap of keys, new ones share a single overflow state until [`Limiter::prune`] has made room.
//! Limits for single keys are limiters of their own; which one applies is the caller's choice.

mod store;

use std::hash::Hash;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::{Quota, RateLimiter};

pub use self::store::Usage;

use self::store::Bounded;

/// A quota: `cells` in `per`, of which `burst` at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests in the period.
    pub cells: NonZeroU32,
    /// The period; a cell comes back after `per / cells`.
    pub per: Duration,
    /// Requests at once after a pause.
    pub burst: NonZeroU32,
}

/// What was decided, in the terms of the `RateLimit-*` headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The request may be made and was charged.
    Admitted {
        /// Cells at once.
        limit: u32,
        /// Cells left now.
        remaining: u32,
        /// Time until all are back.
        reset: Duration,
    },
    /// The request may not be made and was not charged.
    Refused {
        /// Cells at once.
        limit: u32,
        /// Time after which the same request is admitted; round it up.
        retry_after: Duration,
        /// Time until all cells are back.
        reset: Duration,
    },
}

/// The states of all keys under one quota, shared by all workers.
#[derive(Debug)]
pub struct Limiter<K, C = DefaultClock>
where
    K: Hash + Eq + Clone,
    C: Clock,
{
    governor: RateLimiter<K, Bounded<K>, C, StateInformationMiddleware>,
    rate: Rate,
    interval: Duration,
    usage: Usage,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    /// A limiter that remembers at most `max_keys` keys.
    #[must_use]
    pub fn new(rate: Rate, max_keys: usize) -> Self {
        Self::with_clock(rate, max_keys, DefaultClock::default())
    }
}

impl<K: Hash + Eq + Clone, C: Clock> Limiter<K, C> {
    /// The same on another clock.
    #[must_use]
    pub fn with_clock(rate: Rate, max_keys: usize, clock: C) -> Self {
        let interval = (rate.per / rate.cells.get()).max(Duration::from_nanos(1));
        let quota = Quota::with_period(interval)
            .expect("at least a nanosecond")
            .allow_burst(rate.burst);
        let usage = Usage::default();
        let states = Bounded::new(max_keys, usage.clone());
        Self {
            governor: RateLimiter::new(quota, states, clock),
            rate,
            interval,
            usage,
        }
    }

    /// Charges `cells` (at most the burst) to the key, or refuses and charges nothing.
    pub fn check(&self, key: &K, cells: NonZeroU32) -> Decision {
        let burst = self.rate.burst;
        let cells = cells.min(burst);
        let limit = burst.get();
        match self
            .governor
            .check_key_n(key, cells)
            .expect("never more than the burst")
        {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                Decision::Admitted {
                    limit,
                    remaining,
                    reset: self.interval * limit.saturating_sub(remaining),
                }
            }
            Err(until) => {
                let retry_after = until.wait_time_from(self.governor.clock().now());
                let reset = retry_after + self.interval * (limit - cells.get());
                Decision::Refused {
                    limit,
                    retry_after,
                    reset,
                }
            }
        }
    }

    /// Forgets every key that has all its cells back.
    pub fn prune(&self) {
        self.governor.retain_recent();
        self.governor.shrink_to_fit();
    }

    /// Keys remembered now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.governor.len()
    }

    /// Whether no key is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How full its memory is, for whoever wants to go on looking.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.usage.clone()
    }

    /// The quota.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.rate
    }
}
