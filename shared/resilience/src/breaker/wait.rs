//! How long a breaker stays open: twice as long after each trip, forgiven minute by minute in good health.

use std::time::{Duration, Instant};

use rand::{Rng, RngExt};

use super::BreakerConfig;
use super::config::FORGIVEN_AFTER;
use super::phase::Phase;

#[derive(Debug, Default)]
pub(super) struct Wait {
    /// Trips not yet forgiven: the exponent of the next open time.
    trips: u32,
    last: Duration,
}

/// Further doublings change nothing: both base times have passed the longest by then.
const MOST_TRIPS: u32 = 10;

impl Wait {
    /// The open time of a trip out of that phase.
    pub(super) fn next(
        &mut self,
        config: &BreakerConfig,
        phase: &Phase,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> Duration {
        let mut least = Duration::ZERO;
        match phase {
            Phase::Closed { since: Some(since) } => self.forgive(now, *since),
            // After a failed probe the dice fall above the time before it.
            Phase::HalfOpen { .. } => least = self.last,
            _ => {}
        }
        let (low, high) = config.jitter;
        let doubled = config.open_for * 2_u32.pow(self.trips);
        let low = low
            .max(least.as_secs_f64() / doubled.as_secs_f64())
            .min(high);
        let drawn = doubled.mul_f64(rng.random_range(low..=high));
        self.trips = (self.trips + 1).min(MOST_TRIPS);
        self.last = drawn.min(config.longest);
        self.last
    }

    fn forgive(&mut self, now: Instant, since: Instant) {
        let minutes = now.saturating_duration_since(since).as_secs() / FORGIVEN_AFTER.as_secs();
        let minutes = u32::try_from(minutes).unwrap_or(u32::MAX);
        self.trips = self.trips.saturating_sub(minutes);
    }
}
