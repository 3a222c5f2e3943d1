//! How long and how hard: the full terms are those of the promise, the short ones fit into CI, and a person may set each.

use crate::load::{Quantiles, Slice};
use crate::reporter::Reporter;

/// What a run of a drill is asked for.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Seconds instead of minutes: enough to see the promise broken, not enough to claim it.
    pub short: bool,
    pub rounds: Option<u32>,
    /// Of the drill's main phase.
    pub seconds: Option<u32>,
    /// Requests a second.
    pub rate: Option<f64>,
    /// Requests in all, for drills that count them.
    pub count: Option<u32>,
    /// Whether cargo is asked first.
    pub build: bool,
    pub reporter: Reporter,
}

impl Terms {
    pub fn full() -> Self {
        Self {
            short: false,
            rounds: None,
            seconds: None,
            rate: None,
            count: None,
            build: std::env::var_os(crate::binaries::NO_BUILD).is_none(),
            reporter: Reporter::silent(),
        }
    }

    pub fn short() -> Self {
        Self {
            short: true,
            ..Self::full()
        }
    }

    pub(super) fn rounds(&self, full: u32, short: u32) -> u32 {
        self.rounds.unwrap_or(self.either(full, short))
    }

    pub(super) fn seconds(&self, full: u32, short: u32) -> u64 {
        u64::from(self.seconds.unwrap_or(self.either(full, short)))
    }

    pub(super) fn rate(&self, full: f64, short: f64) -> f64 {
        self.rate.unwrap_or(self.either(full, short))
    }

    pub(super) fn count(&self, full: u32, short: u32) -> u32 {
        self.count.unwrap_or(self.either(full, short))
    }

    /// Where a latency is held: at the client; in short terms in the gateway, because there the generator may share its two cores with a whole test suite.
    pub(super) fn quantiles(&self, requests: &Slice<'_>) -> Quantiles {
        if self.short {
            requests.quantiles_inside()
        } else {
            requests.quantiles()
        }
    }

    pub(super) fn either<T>(&self, full: T, short: T) -> T {
        if self.short { short } else { full }
    }
}
