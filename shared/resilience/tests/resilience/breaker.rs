//! The breaker against its rule, read literally from a list of every call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use resilience::breaker::{
    Breaker, BreakerConfig, Permit, Reason, RejectReason, State, Transition,
};
use resilience::classify::Verdict;
use resilience::ejection;

const FAST: Duration = Duration::from_millis(5);
const SLOW: Duration = Duration::from_millis(1_500);

#[derive(Clone, Debug)]
enum Step {
    Acquire,
    Settle(prop::sample::Index, Verdict, bool),
    Drop(prop::sample::Index),
    Wait(u64),
    ConsulSaysPassing,
}

/// A breaker with every call since its last change.
struct World {
    config: BreakerConfig,
    breaker: Arc<Breaker>,
    rng: SmallRng,
    second: u64,
    start: Instant,
    permits: Vec<Permit>,
    calls: Vec<(u64, Verdict, bool)>,
    opens_at: Option<Instant>,
    waited: Duration,
    successes: u32,
}

impl World {
    fn new(config: BreakerConfig, seed: u64) -> Self {
        let breaker = Breaker::new(config.clone());
        Self {
            config,
            breaker,
            rng: SmallRng::seed_from_u64(seed),
            second: 0,
            start: Instant::now(),
            permits: Vec::new(),
            calls: Vec::new(),
            opens_at: None,
            waited: Duration::ZERO,
            successes: 0,
        }
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_secs(self.second)
    }

    fn acquire(&mut self) -> Result<(), TestCaseError> {
        let now = self.now();
        let before = self.breaker.state();
        match self.breaker.try_acquire(now) {
            Ok((permit, transition)) => {
                if let Some(transition) = transition {
                    prop_assert_eq!(
                        (transition.from, transition.to),
                        (State::Open, State::HalfOpen)
                    );
                    prop_assert!(
                        self.opens_at.is_some_and(|at| now >= at),
                        "half-open before its time"
                    );
                    self.successes = 0;
                }
                prop_assert_eq!(permit.is_probe(), self.breaker.state() == State::HalfOpen);
                self.permits.push(permit);
            }
            Err(rejected) => {
                prop_assert!(before != State::Closed);
                if rejected.reason == RejectReason::Open {
                    prop_assert_eq!(Some(now + rejected.retry_after), self.opens_at);
                }
            }
        }
        let generation = self.breaker.status(now).generation;
        let probes = self
            .permits
            .iter()
            .filter(|permit| permit.is_probe() && permit.generation() == generation);
        prop_assert!(probes.count() <= usize::try_from(self.config.probes).unwrap());
        Ok(())
    }

    fn settle(
        &mut self,
        permit: Permit,
        verdict: Verdict,
        slow: bool,
    ) -> Result<(), TestCaseError> {
        let now = self.now();
        let before = self.breaker.status(now);
        let stale = permit.generation() != before.generation;
        let elapsed = if slow { SLOW } else { FAST };
        let slow = slow && self.config.slow.is_some();
        let transition = self
            .breaker
            .settle(permit, verdict, elapsed, now, &mut self.rng);
        if stale || verdict == Verdict::Neutral {
            prop_assert_eq!(transition, None);
            prop_assert_eq!(self.breaker.status(now), before);
            return Ok(());
        }
        if before.state == State::Closed {
            self.calls.push((self.second, verdict, slow));
            prop_assert_eq!(transition.map(|transition| transition.reason), self.rule());
        } else {
            let good = verdict == Verdict::Success && !slow;
            self.successes += u32::from(good);
            let expected = if !good {
                Some(State::Open)
            } else {
                (self.successes >= self.config.successes).then_some(State::Closed)
            };
            prop_assert_eq!(transition.map(|transition| transition.to), expected);
        }
        transition.map_or(Ok(()), |transition| self.changed(&transition))
    }

    fn changed(&mut self, transition: &Transition) -> Result<(), TestCaseError> {
        self.calls.clear();
        self.opens_at = None;
        if transition.to == State::Open {
            let wait = self.breaker.status(self.now()).opens_for.unwrap();
            prop_assert!(wait <= Duration::from_secs(60));
            prop_assert!(wait >= self.config.open_for.mul_f64(self.config.jitter.0));
            if transition.reason == Reason::ProbeFailed {
                prop_assert!(
                    wait >= self.waited,
                    "a failed probe waits {wait:?} after {:?}",
                    self.waited
                );
            }
            self.waited = wait;
            self.opens_at = Some(self.now() + wait);
        }
        Ok(())
    }

    /// The rule of the table in the policies, word by word.
    fn rule(&self) -> Option<Reason> {
        let config = &self.config;
        if config.trip_on_refused
            && self
                .calls
                .last()
                .is_some_and(|call| call.1 == Verdict::Refused)
        {
            return Some(Reason::Refused);
        }
        if self.in_row(
            |call| failed(call.1),
            |call| matches!(call.1, Verdict::Overloaded { .. }),
        ) >= config.consecutive_failures
        {
            return Some(Reason::ConsecutiveFailures);
        }
        if config
            .slow
            .as_ref()
            .is_some_and(|slow| self.in_row(|call| call.2, |_| false) >= slow.consecutive)
        {
            return Some(Reason::ConsecutiveSlow);
        }
        let live: Vec<_> = self
            .calls
            .iter()
            .filter(|call| self.second - call.0 < 10)
            .collect();
        let (calls, bad, slow) = (
            live.len(),
            live.iter()
                .filter(|call| call.1 != Verdict::Success)
                .count(),
            live.iter().filter(|call| call.2).count(),
        );
        if calls < 10 {
            return None;
        }
        let too_many = if config.trip_on_refused {
            bad >= 3 && bad * 5 > calls
        } else {
            bad * 2 >= calls
        };
        if too_many {
            return Some(Reason::FailureRate);
        }
        (config.slow.is_some() && slow * 5 >= calls * 4).then_some(Reason::SlowRate)
    }

    /// Calls at the end that match, without ten quiet seconds between them, not counting those passed over.
    fn in_row(
        &self,
        matches: impl Fn(&(u64, Verdict, bool)) -> bool,
        pass_over: impl Fn(&(u64, Verdict, bool)) -> bool,
    ) -> u32 {
        let mut count = 0;
        let mut later = self.second;
        for call in self.calls.iter().rev() {
            if later - call.0 >= 10 || !(matches(call) || pass_over(call)) {
                break;
            }
            count += u32::from(matches(call));
            later = call.0;
        }
        count
    }
}

fn failed(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Failure | Verdict::Refused)
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        4 => Just(Verdict::Success),
        4 => Just(Verdict::Failure),
        1 => Just(Verdict::Refused),
        1 => Just(Verdict::Overloaded { rest: Duration::ZERO }),
        1 => Just(Verdict::Neutral),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => Just(Step::Acquire),
        8 => (any::<prop::sample::Index>(), verdict(), prop::bool::weighted(0.3))
            .prop_map(|(at, verdict, slow)| Step::Settle(at, verdict, slow)),
        1 => any::<prop::sample::Index>().prop_map(Step::Drop),
        2 => (1_u64..8).prop_map(Step::Wait),
        1 => Just(Step::ConsulSaysPassing),
    ]
}

fn follow(config: BreakerConfig, seed: u64, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut world = World::new(config, seed);
    for step in steps {
        match step {
            Step::Acquire => world.acquire()?,
            Step::Settle(at, verdict, slow) if !world.permits.is_empty() => {
                let at = at.index(world.permits.len());
                let permit = world.permits.swap_remove(at);
                world.settle(permit, verdict, slow)?;
            }
            Step::Drop(at) if !world.permits.is_empty() => {
                let before = world.breaker.status(world.now());
                let at = at.index(world.permits.len());
                drop(world.permits.swap_remove(at));
                prop_assert_eq!(world.breaker.status(world.now()), before);
            }
            Step::Settle(..) | Step::Drop(_) => {}
            Step::Wait(seconds) => world.second += seconds,
            Step::ConsulSaysPassing => {
                world.breaker.allow_probe(world.now());
                let now = world.now();
                world.opens_at = world.opens_at.map(|at| at.min(now));
            }
        }
    }
    // Whatever happened, every permit comes back: a half-open breaker has all its probes again.
    world.permits.clear();
    if world.breaker.state() == State::HalfOpen {
        let probes = (0..world.config.probes).map(|_| world.breaker.try_acquire(world.now()));
        let probes: Vec<_> = probes.collect();
        prop_assert!(probes.iter().all(Result::is_ok));
        prop_assert!(world.breaker.try_acquire(world.now()).is_err());
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_service_breaker_changes_only_by_the_rule(seed: u64, steps in prop::collection::vec(step(), 1..250)) {
        follow(BreakerConfig::service(), seed, steps)?;
    }

    #[test]
    fn an_endpoint_breaker_changes_only_by_the_rule(seed: u64, steps in prop::collection::vec(step(), 1..250)) {
        follow(ejection::config(), seed, steps)?;
    }
}
