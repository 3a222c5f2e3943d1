//! The time until which an answer is worth anything.
//!
//! A route's timeout is total, retries included, and what remains of it travels to the next hop in
//! [`REQUEST_TIMEOUT_MS`], always a little less than there was.
//! Durations travel, not times of day: clocks of different hosts need not agree.

use std::time::{Duration, Instant};

/// The header that carries the remaining milliseconds.
pub const REQUEST_TIMEOUT_MS: &str = "x-request-timeout-ms";

/// A point in time after which nobody waits any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    at: Instant,
}

/// Kept back at every hop, so that the next one gives up before this one does.
const HOP: Duration = Duration::from_millis(1);

/// A day: longer than any request, short enough to add to any instant.
const LONGEST: Duration = Duration::from_secs(86_400);

impl Deadline {
    /// The deadline that far ahead.
    #[must_use]
    pub fn after(now: Instant, timeout: Duration) -> Self {
        Self {
            at: now + timeout.min(LONGEST),
        }
    }

    /// Reads the header's value; none when it is not a number of milliseconds.
    #[must_use]
    pub fn parse(milliseconds: &str, now: Instant) -> Option<Self> {
        let digits =
            !milliseconds.is_empty() && milliseconds.bytes().all(|byte| byte.is_ascii_digit());
        let milliseconds = digits.then(|| milliseconds.parse().unwrap_or(u64::MAX))?;
        Some(Self::after(now, Duration::from_millis(milliseconds)))
    }

    /// When it is.
    #[must_use]
    pub fn at(&self) -> Instant {
        self.at
    }

    /// The time left; none when it is over.
    #[must_use]
    pub fn remaining(&self, now: Instant) -> Option<Duration> {
        self.at
            .checked_duration_since(now)
            .filter(|left| !left.is_zero())
    }

    /// Whether less is left at that time than was `lost` before it: running out of that is not the next hop's failure.
    #[must_use]
    pub fn leaves_too_little(&self, lost: Duration, from: Instant) -> bool {
        self.remaining(from).unwrap_or_default() < lost
    }

    /// The milliseconds to hand on to the next hop, strictly less than remain; none when that is nothing.
    #[must_use]
    pub fn hand_on(&self, now: Instant) -> Option<u64> {
        let left = self.remaining(now)?.saturating_sub(HOP).as_millis();
        u64::try_from(left).ok().filter(|left| *left > 0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::disallowed_methods,
        reason = "a test needs some instant to start from"
    )]
    use super::*;

    #[test]
    fn what_is_handed_on_strictly_shrinks_until_nothing_is_left() {
        let now = Instant::now();
        let mut left = 20;
        let mut hops = 0;
        while let Some(next) = Deadline::after(now, Duration::from_millis(left)).hand_on(now) {
            assert!(next < left);
            left = next;
            hops += 1;
        }
        assert_eq!(hops, 19);
    }

    #[test]
    fn more_than_half_of_the_time_lost_leaves_too_little() {
        let now = Instant::now();
        let deadline = Deadline::after(now, Duration::from_millis(1000));
        for (lost, too_little) in [
            (0, false),
            (400, false),
            (500, false),
            (501, true),
            (1200, true),
        ] {
            let lost = Duration::from_millis(lost);
            assert_eq!(
                deadline.leaves_too_little(lost, now + lost),
                too_little,
                "{lost:?}"
            );
        }
    }

    #[test]
    fn only_a_plain_number_is_a_deadline_and_a_huge_one_is_a_day() {
        let now = Instant::now();
        for bad in ["", "-1", "+1", "1.5", "1e3", " 5", "five"] {
            assert_eq!(Deadline::parse(bad, now), None, "{bad:?}");
        }
        assert_eq!(
            Deadline::parse("0", now).and_then(|deadline| deadline.remaining(now)),
            None
        );
        assert_eq!(
            Deadline::parse("99999999999999999999999", now),
            Some(Deadline::after(now, LONGEST))
        );
    }
}
