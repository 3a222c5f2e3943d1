//! What makes a breaker open, for how long, and what closes it again.
//!
//! The numbers are those of a service's breaker; an endpoint's are in [`crate::ejection`].

use std::time::Duration;

/// The rule of a breaker.
#[derive(Clone, Debug, PartialEq)]
pub struct BreakerConfig {
    /// Failures in a row that open it: a window full of earlier good calls must not delay it.
    pub consecutive_failures: u32,
    /// Whether one endpoint's doing does not open it while that endpoint has peers ([`super::Source`]).
    pub spares_peers: bool,
    /// Whether a single refused connection opens it.
    pub trip_on_refused: bool,
    /// Share of failures in the window that opens it.
    pub failure_share: Share,
    /// Fewest calls in the window for a share to mean anything.
    pub min_calls: u32,
    /// Fewest failures in the window for their share to mean anything.
    pub min_failures: u32,
    /// What counts as slow, and when slowness opens it; none: slowness does not.
    pub slow: Option<Slow>,
    /// Open time after the first trip; it doubles with each further one.
    pub open_for: Duration,
    /// The open time is multiplied by a random factor from this range, so that callers do not probe in step.
    pub jitter: (f64, f64),
    /// Longest open time: an upstream that came back is noticed within it even if nobody says so.
    pub longest: Duration,
    /// Most probes under way at a time while half-open.
    pub probes: u32,
    /// Successful probes that close it.
    pub successes: u32,
}

/// When slowness opens a breaker.
#[derive(Clone, Debug, PartialEq)]
pub struct Slow {
    /// A call that takes this long is slow.
    pub call: Duration,
    /// Slow calls in a row that open it.
    pub consecutive: u32,
    /// Share of slow calls in the window that opens it.
    pub share: Share,
}

/// A share of calls, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Share {
    /// This much or more.
    AtLeast(f64),
    /// More than this.
    Above(f64),
}

/// Longest open time where nothing else is said.
pub const LONGEST: Duration = Duration::from_secs(60);

/// Time in good health that halves the next open time.
pub(super) const FORGIVEN_AFTER: Duration = Duration::from_secs(60);

impl BreakerConfig {
    /// The breaker of an upstream service, which counts final results, after retries.
    #[must_use]
    pub fn service() -> Self {
        Self {
            consecutive_failures: 5,
            spares_peers: true,
            trip_on_refused: false,
            failure_share: Share::AtLeast(0.5),
            min_calls: 10,
            min_failures: 1,
            slow: Some(Slow {
                call: Duration::from_secs(1),
                consecutive: 10,
                share: Share::AtLeast(0.8),
            }),
            open_for: Duration::from_secs(5),
            jitter: (0.9, 1.1),
            longest: LONGEST,
            probes: 3,
            successes: 3,
        }
    }
}

impl Share {
    pub(super) fn reached(self, part: u32, whole: u32) -> bool {
        let (part, whole) = (f64::from(part), f64::from(whole));
        match self {
            Self::AtLeast(share) => part >= share * whole,
            Self::Above(share) => part > share * whole,
        }
    }
}
