//! Where the machine stands, with what belongs to each state only.

use std::time::{Duration, Instant};

use super::State;

#[derive(Debug)]
pub(super) enum Phase {
    /// In good health since; none from the start.
    Closed { since: Option<Instant> },
    /// Refusing until a probe may pass.
    Open { until: Instant },
    /// Probing.
    HalfOpen { in_flight: u32, successes: u32 },
}

impl Phase {
    pub(super) fn state(&self) -> State {
        match self {
            Self::Closed { .. } => State::Closed,
            Self::HalfOpen { .. } => State::HalfOpen,
            Self::Open { .. } => State::Open,
        }
    }

    /// Whether one more probe may pass now, of so many at a time.
    pub(super) fn probe_due(&self, most: u32, now: Instant) -> bool {
        match self {
            Self::Closed { .. } => false,
            Self::Open { until } => now >= *until,
            Self::HalfOpen { in_flight, .. } => *in_flight < most,
        }
    }

    /// While open: time until a probe may pass.
    pub(super) fn opens_for(&self, now: Instant) -> Option<Duration> {
        match self {
            Self::Open { until } => Some(until.saturating_duration_since(now)),
            Self::Closed { .. } | Self::HalfOpen { .. } => None,
        }
    }
}
