//! The state machine behind a breaker's lock.
//!
//! `enter` is the only function that changes the state; everything else counts and decides whether to call it.
//! It takes no lock, starts no timer and returns what happened.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::Rng;

use super::phase::Phase;
use super::tally::Tally;
use super::wait::Wait;
use super::{
    BreakerConfig, BreakerStatus, Mode, Reason, Receipt, RejectReason, Rejected, Source, State,
    Transition,
};
use crate::classify::Verdict;
use crate::ejection::{Limit, Place};

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
    tally: Tally,
    wait: Wait,
    last: Option<Transition>,
    place: Option<Place>,
}

/// When to ask again while all probes are under way: about one answer's time.
const PROBES_TAKEN: Duration = Duration::from_secs(1);

impl Machine {
    pub(super) fn new(config: BreakerConfig, limit: Option<Arc<Limit>>) -> Self {
        Self {
            config,
            mode: Mode::Auto,
            phase: Phase::Closed { since: None },
            generation: 0,
            tally: Tally::default(),
            wait: Wait::default(),
            last: None,
            place: limit.map(Place::new),
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
        source: Source<'_>,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> Option<Transition> {
        let after = self.config.slow.as_ref()?.call;
        if token.slow_told || token.generation != self.generation || self.mode == Mode::Disabled {
            return None;
        }
        token.slow_told = true;
        match self.phase {
            Phase::Closed { .. } => {
                let began = now.checked_sub(after).unwrap_or(now);
                self.tally.slow(source, began, now);
                let reason = self.tally.verdict(&self.config, source, now)?;
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
        source: Source<'_>,
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
        let overloaded = matches!(verdict, Verdict::Overloaded { .. });
        let limit = self.config.slow.as_ref().filter(|_| !token.slow_told);
        let slow = limit.and_then(|slow| (elapsed >= slow.call).then_some(elapsed));
        match &mut self.phase {
            Phase::Closed { .. } if overloaded => None,
            Phase::Closed { .. } => {
                self.tally.call(verdict, slow, token.slow_told, source, now);
                self.note_refusal(verdict);
                let at_once = self.config.trip_on_refused && verdict == Verdict::Refused;
                let reason = match self.tally.verdict(&self.config, source, now) {
                    _ if at_once => Reason::Refused,
                    reason => reason?,
                };
                self.open(reason, now, rng)
            }
            Phase::HalfOpen {
                in_flight,
                successes,
            } if token.probe => {
                *in_flight = in_flight.saturating_sub(1);
                if verdict != Verdict::Success || slow.is_some() {
                    self.note_refusal(verdict);
                    return self.open(Reason::ProbeFailed, now, rng);
                }
                *successes += 1;
                let enough = *successes >= self.config.successes;
                enough.then(|| self.close(Reason::ProbesSucceeded, now))
            }
            _ => None,
        }
    }

    pub(super) fn late_failure(
        &mut self,
        receipt: Receipt,
        source: Source<'_>,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> Option<Transition> {
        if receipt.generation != self.generation || self.mode == Mode::Disabled {
            return None;
        }
        match self.phase {
            Phase::Closed { .. } => {
                self.tally.late_failure(source, now);
                self.note_refusal(Verdict::Failure);
                let reason = self.tally.verdict(&self.config, source, now)?;
                self.open(reason, now, rng)
            }
            Phase::HalfOpen { .. } if receipt.probe => self.open(Reason::ProbeFailed, now, rng),
            Phase::HalfOpen { .. } | Phase::Open { .. } => None,
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
        self.wait = Wait::default();
        let phase = match mode {
            Mode::ForcedOpen => Phase::Open { until: now },
            Mode::Auto | Mode::Disabled | Mode::Observe => Phase::Closed { since: Some(now) },
        };
        let transition = self.enter(phase, Reason::Operator, now);
        (before != transition.to).then_some(transition)
    }

    pub(super) fn count_in_limit(&mut self, counted: bool, now: Instant) -> Option<Transition> {
        let closed = self.state() == State::Closed;
        let place = self.place.as_mut()?;
        place.counted = counted;
        if closed || place.claim() {
            return None;
        }
        Some(self.close(Reason::EjectionLimit, now))
    }

    pub(super) fn release(&mut self, now: Instant) -> Option<Transition> {
        self.place.as_ref().filter(|place| place.holds())?;
        Some(self.close(Reason::EjectionLimit, now))
    }

    pub(super) fn mode(&self) -> Mode {
        self.mode
    }

    pub(super) fn state(&self) -> State {
        self.phase.state()
    }

    pub(super) fn probe_due(&self, now: Instant) -> bool {
        self.mode != Mode::ForcedOpen && self.phase.probe_due(self.config.probes, now)
    }

    pub(super) fn status(&self, now: Instant) -> BreakerStatus {
        BreakerStatus {
            mode: self.mode,
            state: self.state(),
            generation: self.generation,
            opens_for: self.phase.opens_for(now),
            last: self.last,
        }
    }

    /// The only place where the state changes.
    fn enter(&mut self, phase: Phase, reason: Reason, now: Instant) -> Transition {
        let from = self.state();
        self.phase = phase;
        self.generation += 1;
        self.tally = Tally::default();
        let to = self.state();
        if to == State::Closed
            && let Some(place) = &mut self.place
        {
            place.leave();
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

    fn close(&mut self, reason: Reason, now: Instant) -> Transition {
        self.enter(Phase::Closed { since: Some(now) }, reason, now)
    }

    fn open(&mut self, reason: Reason, now: Instant, rng: &mut dyn Rng) -> Option<Transition> {
        if self.place.as_mut().is_some_and(|place| !place.claim()) {
            let half_open = self.state() == State::HalfOpen;
            return half_open.then(|| self.close(Reason::EjectionLimit, now));
        }
        let wait = self.wait.next(&self.config, &self.phase, now, rng);
        Some(self.enter(Phase::Open { until: now + wait }, reason, now))
    }

    fn note_refusal(&mut self, verdict: Verdict) {
        if let Some(place) = &mut self.place {
            place.refused = verdict == Verdict::Refused;
        }
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
