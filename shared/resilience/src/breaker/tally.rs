//! What a closed breaker counts, and when that is enough to open it.
//!
//! A call counts once, a call that was slow counts as such the moment it is slow, and after ten quiet seconds nothing
//! of the past counts.

use std::time::{Duration, Instant};

use super::source::Sources;
use super::{BreakerConfig, Reason, Source};
use crate::classify::Verdict;
use crate::window::{Counts, SECONDS, Window};

#[derive(Debug, Default)]
pub(super) struct Tally {
    window: Window,
    failures_in_row: u32,
    slow_in_row: u32,
    /// Kept only where calls name their endpoints: endpoints' own breakers are many.
    sources: Option<Box<Sources>>,
    last: Option<Instant>,
}

impl Tally {
    /// A call that still runs, and went up at `began`, has become slow.
    pub(super) fn slow(&mut self, source: Source<'_>, began: Instant, now: Instant) {
        let counts = Counts {
            calls: 1,
            failures: 0,
            slow: 1,
        };
        self.add(counts, now);
        self.slow_in_row += 1;
        self.note(source, |sources| sources.slow(source, began, now));
    }

    /// A call ended, `slow` after so long if it was; `slow_told` when it was counted as slow before.
    pub(super) fn call(
        &mut self,
        verdict: Verdict,
        slow: Option<Duration>,
        slow_told: bool,
        source: Source<'_>,
        now: Instant,
    ) {
        let counts = Counts {
            calls: u32::from(!slow_told),
            failures: u32::from(verdict != Verdict::Success),
            slow: u32::from(slow.is_some()),
        };
        self.add(counts, now);
        match verdict {
            Verdict::Success => {
                self.failures_in_row = 0;
                self.note(source, Sources::no_failure);
            }
            Verdict::Failure | Verdict::Refused => {
                self.failures_in_row += 1;
                self.note(source, |sources| sources.failed(source, now));
            }
            Verdict::Overloaded { .. } | Verdict::Neutral => {}
        }
        if let Some(elapsed) = slow {
            self.slow_in_row += 1;
            let began = now.checked_sub(elapsed).unwrap_or(now);
            self.note(source, |sources| sources.slow(source, began, now));
        } else if !slow_told {
            self.slow_in_row = 0;
            self.note(source, |sources| {
                sources.not_slow();
                if verdict == Verdict::Success {
                    sources.well(source, now);
                }
            });
        }
    }

    /// A call counted before has failed after all.
    pub(super) fn late_failure(&mut self, source: Source<'_>, now: Instant) {
        let counts = Counts {
            calls: 0,
            failures: 1,
            slow: 0,
        };
        self.add(counts, now);
        self.failures_in_row += 1;
        self.note(source, |sources| sources.failed(source, now));
    }

    /// Why it should open now, if it should; `source` is who was called last.
    pub(super) fn verdict(
        &mut self,
        config: &BreakerConfig,
        source: Source<'_>,
        now: Instant,
    ) -> Option<Reason> {
        let reasons = self.reasons(config, now);
        let sources = self.sources.as_ref().filter(|_| config.spares_peers);
        reasons
            .into_iter()
            .flatten()
            .find(|reason| sources.is_none_or(|sources| sources.confirm(*reason, source, now)))
    }

    /// All that is enough by the numbers alone.
    fn reasons(&mut self, config: &BreakerConfig, now: Instant) -> [Option<Reason>; 4] {
        let sum = self.window.sum(now);
        let slow = config.slow.as_ref();
        let enough = sum.calls >= config.min_calls;
        let fails = enough
            && sum.failures >= config.min_failures
            && config.failure_share.reached(sum.failures, sum.calls);
        let slows = enough && slow.is_some_and(|slow| slow.share.reached(sum.slow, sum.calls));
        let failures_in_row = self.failures_in_row >= config.consecutive_failures;
        let slow_in_row = slow.is_some_and(|slow| self.slow_in_row >= slow.consecutive);
        [
            failures_in_row.then_some(Reason::ConsecutiveFailures),
            slow_in_row.then_some(Reason::ConsecutiveSlow),
            fails.then_some(Reason::FailureRate),
            slows.then_some(Reason::SlowRate),
        ]
    }

    fn note(&mut self, source: Source<'_>, note: impl FnOnce(&mut Sources)) {
        if !source.endpoints.is_empty() {
            note(self.sources.get_or_insert_default());
        }
    }

    fn add(&mut self, counts: Counts, now: Instant) {
        let quiet = |last| now.saturating_duration_since(last).as_secs() >= SECONDS as u64;
        if self.last.replace(now).is_some_and(quiet) {
            self.failures_in_row = 0;
            self.slow_in_row = 0;
            self.sources = None;
        }
        self.window.add(counts, now);
    }
}
