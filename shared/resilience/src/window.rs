//! Counts over the last ten seconds, exactly.
//!
//! Ten buckets of one second: a call counts fully while it is less than nine seconds old, and not at all from ten on.
//! Averages were not taken, because "fifty per cent of at least ten calls" has to mean calls that can be listed.
//! What the counts mean is decided by whoever reads them.

use std::time::{Duration, Instant};

/// Buckets in a window, and its length in seconds.
pub const SECONDS: usize = 10;

/// One second each: fine enough to forget within a tenth of the window, few enough to add up at every call.
const BUCKET: Duration = Duration::from_secs(1);

/// What happened, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls that were judged.
    pub calls: u32,
    /// Of them, failed or turned away.
    pub failures: u32,
    /// Of them, slow.
    pub slow: u32,
}

/// Ten buckets of counts; time only goes forward, an earlier `now` counts in the newest bucket.
#[derive(Clone, Debug, Default)]
pub struct Window {
    buckets: [Counts; SECONDS],
    newest: Option<Instant>,
    at: usize,
}

impl Window {
    /// Adds counts now.
    pub fn add(&mut self, counts: Counts, now: Instant) {
        self.roll(now);
        let bucket = &mut self.buckets[self.at];
        bucket.calls += counts.calls;
        bucket.failures += counts.failures;
        bucket.slow += counts.slow;
    }

    /// The sum over the window that ends now.
    pub fn sum(&mut self, now: Instant) -> Counts {
        self.roll(now);
        self.buckets
            .iter()
            .fold(Counts::default(), |sum, bucket| Counts {
                calls: sum.calls + bucket.calls,
                failures: sum.failures + bucket.failures,
                slow: sum.slow + bucket.slow,
            })
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    fn roll(&mut self, now: Instant) {
        let Some(newest) = self.newest else {
            self.newest = Some(now);
            return;
        };
        let seconds = now.saturating_duration_since(newest).as_secs();
        if seconds >= SECONDS as u64 {
            self.clear();
            self.newest = Some(now);
            return;
        }
        for _ in 0..seconds {
            self.at = (self.at + 1) % SECONDS;
            self.buckets[self.at] = Counts::default();
        }
        self.newest = Some(newest + BUCKET * u32::try_from(seconds).expect("fewer than ten"));
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::disallowed_methods,
        reason = "a test needs some instant to start from"
    )]
    use super::*;

    const CALL: Counts = Counts {
        calls: 1,
        failures: 0,
        slow: 0,
    };

    #[test]
    fn a_call_counts_for_nine_seconds_and_not_for_ten() {
        let start = Instant::now();
        let mut window = Window::default();
        window.add(CALL, start);
        assert_eq!(window.sum(start + Duration::from_millis(9_999)).calls, 1);
        assert_eq!(window.sum(start + Duration::from_secs(10)).calls, 0);
    }

    #[test]
    fn a_quiet_window_is_a_fresh_window() {
        let start = Instant::now();
        let mut window = Window::default();
        for second in 0..10 {
            window.add(CALL, start + Duration::from_secs(second));
        }
        assert_eq!(window.sum(start + Duration::from_secs(9)).calls, 10);
        assert_eq!(window.sum(start + Duration::from_secs(3_600)).calls, 0);
    }

    #[test]
    fn an_earlier_time_counts_in_the_newest_bucket() {
        let start = Instant::now();
        let mut window = Window::default();
        window.add(CALL, start + Duration::from_secs(5));
        window.add(CALL, start);
        assert_eq!(window.sum(start + Duration::from_secs(5)).calls, 2);
    }
}
