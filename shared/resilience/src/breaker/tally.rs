//! What a closed breaker counts, and when that is enough to open it.
//!
//! A call counts once, a call that was slow counts as such the moment it is slow, and after ten quiet seconds nothing
//! of the past counts.

use std::time::Instant;

use super::{BreakerConfig, Reason};
use crate::classify::Verdict;
use crate::window::{Counts, SECONDS, Window};

#[derive(Debug, Default)]
pub(super) struct Tally {
    window: Window,
    failures_in_row: u32,
    slow_in_row: u32,
    last: Option<Instant>,
}

impl Tally {
    /// A call that still runs has become slow.
    pub(super) fn slow(&mut self, now: Instant) {
        self.add(
            Counts {
                calls: 1,
                failures: 0,
                slow: 1,
            },
            now,
        );
        self.slow_in_row += 1;
    }

    /// A call ended; `slow_told` when it was counted as slow before.
    pub(super) fn call(&mut self, verdict: Verdict, slow: bool, slow_told: bool, now: Instant) {
        let failed = verdict != Verdict::Success;
        let counts = Counts {
            calls: u32::from(!slow_told),
            failures: u32::from(failed),
            slow: u32::from(slow),
        };
        self.add(counts, now);
        match verdict {
            Verdict::Success => self.failures_in_row = 0,
            Verdict::Failure | Verdict::Refused => self.failures_in_row += 1,
            Verdict::Overloaded { .. } | Verdict::Neutral => {}
        }
        if slow {
            self.slow_in_row += 1;
        } else if !slow_told {
            self.slow_in_row = 0;
        }
    }

    /// A call counted before has failed after all.
    pub(super) fn late_failure(&mut self, now: Instant) {
        self.add(
            Counts {
                calls: 0,
                failures: 1,
                slow: 0,
            },
            now,
        );
        self.failures_in_row += 1;
    }

    /// Why it should open now, if it should.
    pub(super) fn verdict(&mut self, config: &BreakerConfig, now: Instant) -> Option<Reason> {
        if self.failures_in_row >= config.consecutive_failures {
            return Some(Reason::ConsecutiveFailures);
        }
        if config
            .slow
            .as_ref()
            .is_some_and(|slow| self.slow_in_row >= slow.consecutive)
        {
            return Some(Reason::ConsecutiveSlow);
        }
        let sum = self.window.sum(now);
        if sum.calls < config.min_calls {
            return None;
        }
        let failures = sum.failures >= config.min_failures;
        if failures && config.failure_share.reached(sum.failures, sum.calls) {
            return Some(Reason::FailureRate);
        }
        let slow = config
            .slow
            .as_ref()
            .is_some_and(|slow| slow.share.reached(sum.slow, sum.calls));
        slow.then_some(Reason::SlowRate)
    }

    fn add(&mut self, counts: Counts, now: Instant) {
        let quiet = |last| now.saturating_duration_since(last).as_secs() >= SECONDS as u64;
        if self.last.replace(now).is_some_and(quiet) {
            self.failures_in_row = 0;
            self.slow_in_row = 0;
        }
        self.window.add(counts, now);
    }
}
