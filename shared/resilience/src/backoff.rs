//! How long to wait before trying again.
//!
//! Full jitter over a doubling range: callers that failed together do not come back together.
//! Whether to try again at all is decided by [`crate::retry`] or by the caller.

use std::time::Duration;

use rand::{Rng, RngExt};

/// A range of waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
}

/// Doublings of the base at the first wait: a range of four already spreads callers, twice would leave them in clumps.
const FIRST: u32 = 2;

/// More doublings than any cap needs; keeps the arithmetic in range.
const MOST_DOUBLINGS: u32 = 20;

impl Backoff {
    /// Waits between `base` and `cap`.
    #[must_use]
    pub fn new(base: Duration, cap: Duration) -> Self {
        Self {
            base,
            cap: cap.max(base),
        }
    }

    /// The wait after `failures` earlier ones (from 0), drawn evenly between the base and a doubling bound.
    #[must_use]
    pub fn delay(&self, failures: u32, rng: &mut dyn Rng) -> Duration {
        let doublings = failures.saturating_add(FIRST).min(MOST_DOUBLINGS);
        let bound = self.base.saturating_mul(1 << doublings).min(self.cap);
        rng.random_range(self.base..=bound)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn a_wait_is_never_under_the_base_nor_over_the_cap_and_its_range_doubles() {
        let (base, cap) = (Duration::from_millis(25), Duration::from_millis(250));
        let backoff = Backoff::new(base, cap);
        let mut rng = StdRng::seed_from_u64(1);
        for (failures, bound) in [(0, 100), (1, 200), (2, 250), (40, 250)] {
            let longest = (0..2_000)
                .map(|_| backoff.delay(failures, &mut rng))
                .inspect(|wait| assert!(*wait >= base));
            let longest = longest.max().expect("two thousand waits");
            assert!(
                longest <= Duration::from_millis(bound),
                "{failures}: {longest:?}"
            );
            assert!(
                longest >= Duration::from_millis(bound * 9 / 10),
                "{failures}: {longest:?}"
            );
        }
    }
}
