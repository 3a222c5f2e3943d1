//! The circuit breaker: whether a call may be made, from how earlier calls ended.
//!
//! One state machine serves two levels with two configurations: per upstream service it makes calls fail fast, per
//! endpoint ([`crate::ejection`]) it takes one sick instance out of nine well ones.
//! Admission returns a [`Permit`]; settling consumes it, dropping it gives it back and counts nothing.
//! A permit carries the generation it was given in, and a result from an earlier generation changes nothing: a late
//! success cannot close a breaker that opened meanwhile.
//! Every change of state is returned as a [`Transition`] for the caller to count and log.

mod config;
mod machine;
mod phase;
mod source;
mod state;
mod tally;
mod wait;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rand::Rng;

pub use self::config::{BreakerConfig, LONGEST, Share, Slow};
use self::machine::{Machine, Token};
pub use self::source::Source;
pub use self::state::{
    BreakerStatus, Mode, Reason, RejectReason, Rejected, State, Transition, UnknownMode,
};
use crate::classify::Verdict;
use crate::ejection::Limit;

/// A circuit breaker, shared by all workers.
#[derive(Debug)]
pub struct Breaker {
    machine: Mutex<Machine>,
    closed: AtomicBool,
}

/// What is left of a permit that was settled: enough to say later that the call failed after all.
#[derive(Clone, Copy, Debug)]
pub struct Receipt {
    generation: u64,
    probe: bool,
}

/// Leave to make one call; dropping it unsettled gives it back.
#[derive(Debug)]
pub struct Permit {
    breaker: Arc<Breaker>,
    token: Option<Token>,
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub fn new(config: BreakerConfig) -> Arc<Self> {
        Self::build(Machine::new(config, None))
    }

    /// A closed breaker of an endpoint, which opens only while the service's limit on ejections allows it.
    #[must_use]
    pub fn limited(config: BreakerConfig, limit: &Arc<Limit>) -> Arc<Self> {
        Self::build(Machine::new(config, Some(Arc::clone(limit))))
    }

    /// Asks for leave to make a call; may turn an open breaker half-open.
    ///
    /// # Errors
    /// [`Rejected`] while it is open, or half-open with every probe under way.
    pub fn try_acquire(
        self: &Arc<Self>,
        now: Instant,
    ) -> Result<(Permit, Option<Transition>), Rejected> {
        let (token, transition) = self.change(|machine| machine.admit(now))?;
        Ok((
            Permit {
                breaker: Arc::clone(self),
                token: Some(token),
            },
            transition,
        ))
    }

    /// Tells that the call has just become slow, while it still runs.
    pub fn slow(
        &self,
        permit: &mut Permit,
        source: Source<'_>,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> Option<Transition> {
        let token = permit.token.as_mut()?;
        self.change(|machine| machine.slow(token, source, now, rng))
    }

    /// Tells how the call ended, after the upstream had it for `elapsed`.
    pub fn settle(
        &self,
        mut permit: Permit,
        verdict: Verdict,
        elapsed: Duration,
        source: Source<'_>,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> Option<Transition> {
        let token = permit.token.take()?;
        self.change(|machine| machine.settle(&token, verdict, elapsed, source, now, rng))
    }

    /// Adds one failure to a call already settled: its body was cut short.
    pub fn late_failure(
        &self,
        receipt: Receipt,
        source: Source<'_>,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> Option<Transition> {
        self.change(|machine| machine.late_failure(receipt, source, now, rng))
    }

    /// Lets a probe pass at once: the registry saw the upstream recover.
    pub fn allow_probe(&self, now: Instant) {
        self.change(|machine| machine.allow_probe(now));
    }

    /// Sets what the operator decided; any change of mode but to and from [`Mode::Observe`] starts afresh.
    pub fn set_mode(&self, mode: Mode, now: Instant) -> Option<Transition> {
        self.change(|machine| machine.set_mode(mode, now))
    }

    /// What the operator decided.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.lock().mode()
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.lock().state()
    }

    /// Whether it is closed, without waiting for anybody.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Whether a probe would be admitted now.
    #[must_use]
    pub fn probe_due(&self, now: Instant) -> bool {
        self.lock().probe_due(now)
    }

    /// Everything there is to see.
    #[must_use]
    pub fn status(&self, now: Instant) -> BreakerStatus {
        self.lock().status(now)
    }

    /// Whether this endpoint counts as one of its service now: an ineligible one neither fills the limit nor is held
    /// by it.
    pub(crate) fn count_in_limit(&self, counted: bool, now: Instant) -> Option<Transition> {
        self.change(|machine| machine.count_in_limit(counted, now))
    }

    /// Takes it back into use because too many of its service are ejected.
    pub(crate) fn release(&self, now: Instant) -> Option<Transition> {
        self.change(|machine| machine.release(now))
    }

    fn build(machine: Machine) -> Arc<Self> {
        Arc::new(Self {
            machine: Mutex::new(machine),
            closed: AtomicBool::new(true),
        })
    }

    fn change<T>(&self, decide: impl FnOnce(&mut Machine) -> T) -> T {
        let mut machine = self.lock();
        let decided = decide(&mut machine);
        self.closed
            .store(machine.state() == State::Closed, Ordering::Release);
        decided
    }

    fn lock(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// The generation it was given in.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.token.as_ref().map_or(0, Token::generation)
    }

    /// To be kept beside an answer whose body still flows.
    #[must_use]
    pub fn receipt(&self) -> Receipt {
        Receipt {
            generation: self.generation(),
            probe: self.is_probe(),
        }
    }

    /// Whether the call is a probe.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.token.as_ref().is_some_and(Token::is_probe)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(token) = self.token.take().filter(Token::is_probe) {
            self.breaker.change(|machine| machine.give_back(&token));
        }
    }
}
