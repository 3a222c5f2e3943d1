//! The state machine behind a breaker's lock.
//!
//! `enter` is the only function that changes the state; everything else counts and decides whether to call it.
//! It takes no lock, starts no timer and returns what happened.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::{Rng, RngExt};

use super::config::{FORGIVEN_AFTER, LONGEST};
use super::{
    BreakerConfig, BreakerStatus, Mode, Reason, RejectReason, Rejected, State, Transition,
};
use crate::classify::Verdict;
use crate::ejection::{Limit, Slot};
use crate::window::{Counts, SECONDS, Window};

/// What a permit remembers of its admission.
#[derive(Debug)]
pub(super) struct Token {
    generation: u64,
    probe: bool,
    slow_told: bool,
}

#[derive(Debug)]
pub(super) struct Machine {
    config: BreakerConfig,
    mode: Mode,
    phase: Phase,
    generation: u64,
    window: Window,
    failures_in_row: u32,
    slow_in_row: u32,
    last_call: Option<Instant>,
    /// Trips not yet forgiven: the exponent of the next open time.
    trips: u32,
    last_wait: Duration,
    last: Option<Transition>,
    ejection: Option<Ejection>,
}

#[derive(Debug)]
enum Phase {
    Closed { since: Option<Instant> },
    Open { until: Instant },
    HalfOpen { in_flight: u32, successes: u32 },
}

/// An endpoint's part in its service's limit.
#[derive(Debug)]
struct Ejection {
    limit: Arc<Limit>,
    counted: bool,
    refused: bool,
    slot: Option<Slot>,
}

/// When to ask again while all probes are under way: about one answer's time.
const PROBES_TAKEN: Duration = Duration::from_secs(1);

/// Further doublings change nothing: both base times have passed the longest by then.
const MOST_TRIPS: u32 = 10;

impl Machine {
    pub(super) fn new(config: BreakerConfig, limit: Option<Arc<Limit>>) -> Self {
        Self {
            config,
            mode: Mode::Auto,
            phase: Phase::Closed { since: None },
            generation: 0,
            window: Window::default(),
            failures_in_row: 0,
            slow_in_row: 0,
            last_call: None,
            trips: 0,
            last_wait: Duration::ZERO,
            last: None,
            ejection: limit.map(|limit| Ejection {
                limit,
                counted: true,
                refused: false,
                slot: None,
            }),
        }
    }

    pub(super) fn admit(&mut self, now: Instant) -> Result<(Token, Option<Transition>), Rejected> {
        let mut transition = None;
        match self.phase {
            _ if self.mode == Mode::ForcedOpen => {
                return Err(Rejected {
                    reason: RejectReason::ForcedOpen,
                    retry_after: self.config.open_for,
                });
            }
            Phase::Open { until } if now >= until => {
                transition = Some(self.enter(
                    Phase::HalfOpen {
                        in_flight: 0,
                        successes: 0,
                    },
                    Reason::Waited,
                    now,
                ));
            }
            Phase::Open { until } if self.mode != Mode::Observe => {
                return Err(Rejected {
                    reason: RejectReason::Open,
                    retry_after: until - now,
                });
            }
            _ => {}
        }
        let mut probe = false;
        if let Phase::HalfOpen { in_flight, .. } = &mut self.phase {
            probe = *in_flight < self.config.probes;
            *in_flight += u32::from(probe);
            if !probe && self.mode != Mode::Observe {
                return Err(Rejected {
                    reason: RejectReason::ProbesTaken,
                    retry_after: PROBES_TAKEN,
                });
            }
        }
        Ok((
            Token {
                generation: self.generation,
                probe,
                slow_told: false,
            },
            transition,
        ))
    }

    pub(super) fn slow(
        &mut self,
        token: &mut Token,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> Option<Transition> {
        let slow = self.config.slow.is_some() && !token.slow_told;
        if !slow || token.generation != self.generation || self.mode == Mode::Disabled {
            return None;
        }
        token.slow_told = true;
        match self.phase {
            Phase::Closed { .. } => {
                self.count(
                    Counts {
                        calls: 1,
                        failures: 0,
                        slow: 1,
                    },
                    now,
                );
                self.slow_in_row += 1;
                let reason = self.why_open(Verdict::Neutral, now)?;
                self.open(reason, now, rng)
            }
            Phase::HalfOpen { .. } if token.probe => self.open(Reason::ProbeFailed, now, rng),
            _ => None,
        }
    }

    pub(super) fn settle(
        &mut self,
        token: &Token,
        verdict: Verdict,
        elapsed: Duration,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> Option<Transition> {
        if token.generation != self.generation || self.mode == Mode::Disabled {
            return None;
        }
        if verdict == Verdict::Neutral {
            self.give_back(token);
            return None;
        }
        let slow = !token.slow_told
            && self
                .config
                .slow
                .as_ref()
                .is_some_and(|slow| elapsed >= slow.call);
        match &mut self.phase {
            Phase::Closed { .. } => {
                self.judge(verdict, slow, token.slow_told, now);
                let reason = self.why_open(verdict, now)?;
                self.open(reason, now, rng)
            }
            Phase::HalfOpen {
                in_flight,
                successes,
            } if token.probe => {
                *in_flight = in_flight.saturating_sub(1);
                if verdict != Verdict::Success || slow {
                    self.note_refusal(verdict);
                    return self.open(Reason::ProbeFailed, now, rng);
                }
                *successes += 1;
                let enough = *successes >= self.config.successes;
                enough.then(|| {
                    self.enter(
                        Phase::Closed { since: Some(now) },
                        Reason::ProbesSucceeded,
                        now,
                    )
                })
            }
            _ => None,
        }
    }

    pub(super) fn late_failure(
        &mut self,
        generation: u64,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> Option<Transition> {
        if generation != self.generation || self.mode == Mode::Disabled {
            return None;
        }
        match self.phase {
            Phase::Closed { .. } => {
                self.count(
                    Counts {
                        calls: 0,
                        failures: 1,
                        slow: 0,
                    },
                    now,
                );
                self.failures_in_row += 1;
                let reason = self.why_open(Verdict::Failure, now)?;
                self.open(reason, now, rng)
            }
            Phase::HalfOpen { .. } => self.open(Reason::ProbeFailed, now, rng),
            Phase::Open { .. } => None,
        }
    }

    pub(super) fn give_back(&mut self, token: &Token) {
        if let Phase::HalfOpen { in_flight, .. } = &mut self.phase
            && token.probe
            && token.generation == self.generation
        {
            *in_flight = in_flight.saturating_sub(1);
        }
    }

    pub(super) fn allow_probe(&mut self, now: Instant) {
        if let Phase::Open { until } = &mut self.phase {
            *until = now.min(*until);
        }
    }

    pub(super) fn set_mode(&mut self, mode: Mode, now: Instant) -> Option<Transition> {
        let before = self.state();
        let counting = |mode| matches!(mode, Mode::Auto | Mode::Observe);
        let keep = mode == self.mode || (counting(mode) && counting(self.mode));
        self.mode = mode;
        if keep {
            return None;
        }
        self.trips = 0;
        let phase = match mode {
            Mode::ForcedOpen => Phase::Open { until: now },
            Mode::Auto | Mode::Disabled | Mode::Observe => Phase::Closed { since: Some(now) },
        };
        let transition = self.enter(phase, Reason::Operator, now);
        (before != transition.to).then_some(transition)
    }

    pub(super) fn count_in_limit(&mut self, counted: bool, now: Instant) -> Option<Transition> {
        let closed = self.state() == State::Closed;
        let ejection = self.ejection.as_mut()?;
        ejection.counted = counted;
        if closed || ejection.claim() {
            return None;
        }
        Some(self.enter(
            Phase::Closed { since: Some(now) },
            Reason::EjectionLimit,
            now,
        ))
    }

    pub(super) fn release(&mut self, now: Instant) -> Option<Transition> {
        self.ejection.as_ref()?.slot.as_ref()?;
        Some(self.enter(
            Phase::Closed { since: Some(now) },
            Reason::EjectionLimit,
            now,
        ))
    }

    pub(super) fn mode(&self) -> Mode {
        self.mode
    }

    pub(super) fn state(&self) -> State {
        match self.phase {
            Phase::Closed { .. } => State::Closed,
            Phase::HalfOpen { .. } => State::HalfOpen,
            Phase::Open { .. } => State::Open,
        }
    }

    pub(super) fn probe_due(&self, now: Instant) -> bool {
        self.mode != Mode::ForcedOpen
            && match self.phase {
                Phase::Closed { .. } => false,
                Phase::Open { until } => now >= until,
                Phase::HalfOpen { in_flight, .. } => in_flight < self.config.probes,
            }
    }

    pub(super) fn status(&self, now: Instant) -> BreakerStatus {
        let opens_for = match self.phase {
            Phase::Open { until } => Some(until.saturating_duration_since(now)),
            Phase::Closed { .. } | Phase::HalfOpen { .. } => None,
        };
        BreakerStatus {
            mode: self.mode,
            state: self.state(),
            generation: self.generation,
            opens_for,
            last: self.last,
        }
    }

    /// The only place where the state changes.
    fn enter(&mut self, phase: Phase, reason: Reason, now: Instant) -> Transition {
        let from = self.state();
        self.phase = phase;
        self.generation += 1;
        self.window.clear();
        self.failures_in_row = 0;
        self.slow_in_row = 0;
        let to = self.state();
        if to == State::Closed
            && let Some(ejection) = &mut self.ejection
        {
            ejection.slot = None;
            ejection.refused = false;
        }
        let transition = Transition {
            from,
            to,
            reason,
            at: now,
        };
        self.last = Some(transition);
        transition
    }

    fn open(&mut self, reason: Reason, now: Instant, rng: &mut dyn Rng) -> Option<Transition> {
        if self
            .ejection
            .as_mut()
            .is_some_and(|ejection| !ejection.claim())
        {
            let half_open = self.state() == State::HalfOpen;
            return half_open.then(|| {
                self.enter(
                    Phase::Closed { since: Some(now) },
                    Reason::EjectionLimit,
                    now,
                )
            });
        }
        let (low, high) = self.config.jitter;
        let mut wait = Duration::ZERO;
        match self.phase {
            Phase::Closed { since: Some(since) } => {
                let minutes =
                    now.saturating_duration_since(since).as_secs() / FORGIVEN_AFTER.as_secs();
                self.trips = self
                    .trips
                    .saturating_sub(u32::try_from(minutes).unwrap_or(u32::MAX));
            }
            // A failed probe never waits less than the time before it, whatever the dice say.
            Phase::HalfOpen { .. } => wait = self.last_wait,
            _ => {}
        }
        let doubled = self.config.open_for * 2_u32.pow(self.trips.min(MOST_TRIPS));
        wait = wait
            .max(doubled.mul_f64(rng.random_range(low..=high)))
            .min(LONGEST);
        self.trips = (self.trips + 1).min(MOST_TRIPS);
        self.last_wait = wait;
        Some(self.enter(Phase::Open { until: now + wait }, reason, now))
    }

    fn judge(&mut self, verdict: Verdict, slow: bool, slow_told: bool, now: Instant) {
        let failed = verdict != Verdict::Success;
        let counts = Counts {
            calls: u32::from(!slow_told),
            failures: u32::from(failed),
            slow: u32::from(slow),
        };
        self.count(counts, now);
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
        self.note_refusal(verdict);
    }

    fn count(&mut self, counts: Counts, now: Instant) {
        let quiet = |last| now.saturating_duration_since(last).as_secs() >= SECONDS as u64;
        if self.last_call.replace(now).is_some_and(quiet) {
            self.failures_in_row = 0;
            self.slow_in_row = 0;
        }
        self.window.add(counts, now);
    }

    fn why_open(&mut self, verdict: Verdict, now: Instant) -> Option<Reason> {
        let config = &self.config;
        if config.trip_on_refused && verdict == Verdict::Refused {
            return Some(Reason::Refused);
        }
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
        if sum.failures >= config.min_failures
            && config.failure_share.reached(sum.failures, sum.calls)
        {
            return Some(Reason::FailureRate);
        }
        let slow = config
            .slow
            .as_ref()
            .is_some_and(|slow| slow.share.reached(sum.slow, sum.calls));
        slow.then_some(Reason::SlowRate)
    }

    fn note_refusal(&mut self, verdict: Verdict) {
        if let Some(ejection) = &mut self.ejection {
            ejection.refused = verdict == Verdict::Refused;
        }
    }
}

impl Ejection {
    /// Whether the endpoint may be out; a refused or uncounted one needs no slot.
    fn claim(&mut self) -> bool {
        if self.refused || !self.counted {
            self.slot = None;
            return true;
        }
        if self.slot.is_none() {
            self.slot = self.limit.claim();
        }
        self.slot.is_some()
    }
}

impl Token {
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn is_probe(&self) -> bool {
        self.probe
    }
}
