//! The breaker against its rule, read literally from a list of every call: B1, B3, B4 and B5 of the policies.

use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use resilience::breaker::{
    Breaker, BreakerConfig, Permit, Reason, RejectReason, Source, State, Transition,
};
use resilience::classify::Verdict;
use resilience::ejection;
use resilience::endpoint::EndpointId;

use super::cases;

const FAST: Duration = Duration::from_millis(5);
const SLOW: Duration = Duration::from_millis(1_500);

#[derive(Clone, Debug)]
enum Step {
    Acquire,
    Settle(prop::sample::Index, End),
    Drop(prop::sample::Index),
    Wait(u64),
    ConsulSaysPassing,
}

/// How a call ends, on which of three endpoints, and whether that one has peers.
#[derive(Clone, Debug)]
struct End {
    verdict: Verdict,
    slow: bool,
    endpoint: usize,
    peers: bool,
}

/// A call that was judged.
#[derive(Clone, Copy, Debug)]
struct Judged {
    second: u64,
    verdict: Verdict,
    slow: bool,
    endpoint: usize,
}

/// A breaker with every call since its last change.
struct World {
    config: BreakerConfig,
    breaker: Arc<Breaker>,
    rng: SmallRng,
    second: u64,
    start: Instant,
    permits: Vec<Permit>,
    calls: Vec<Judged>,
    endpoints: Vec<EndpointId>,
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
            endpoints: ["one", "two", "three"].map(EndpointId::new).to_vec(),
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

    fn settle(&mut self, permit: Permit, end: &End) -> Result<(), TestCaseError> {
        let now = self.now();
        let before = self.breaker.status(now);
        let stale = permit.generation() != before.generation;
        let elapsed = if end.slow { SLOW } else { FAST };
        let (verdict, slow) = (end.verdict, end.slow && self.config.slow.is_some());
        let source = Source {
            endpoints: &self.endpoints[end.endpoint..=end.endpoint],
            peers: end.peers,
        };
        let transition = self
            .breaker
            .settle(permit, verdict, elapsed, source, now, &mut self.rng);
        let overloaded = matches!(verdict, Verdict::Overloaded { .. });
        let passed_over = overloaded && before.state == State::Closed;
        if stale || verdict == Verdict::Neutral || passed_over {
            prop_assert_eq!(transition, None);
            prop_assert_eq!(self.breaker.status(now), before);
            return Ok(());
        }
        if before.state == State::Closed {
            self.calls.push(Judged {
                second: self.second,
                verdict,
                slow,
                endpoint: end.endpoint,
            });
            let reason = self
                .reasons()
                .into_iter()
                .find(|reason| !self.config.spares_peers || self.is_everybodys(*reason, end));
            prop_assert_eq!(transition.map(|transition| transition.reason), reason);
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

    /// The rule of the table in the policies, word by word: everything that is enough by the numbers.
    fn reasons(&self) -> Vec<Reason> {
        let config = &self.config;
        let mut reasons = Vec::new();
        let refused = |call: &Judged| call.verdict == Verdict::Refused;
        if config.trip_on_refused && self.calls.last().is_some_and(refused) {
            reasons.push(Reason::Refused);
        }
        if self.failing_row().len() >= config.consecutive_failures as usize {
            reasons.push(Reason::ConsecutiveFailures);
        }
        let slow = config.slow.as_ref();
        if slow.is_some_and(|slow| self.slow_row().len() >= slow.consecutive as usize) {
            reasons.push(Reason::ConsecutiveSlow);
        }
        let live = self.live();
        let (calls, bad, slow) = (
            live.len(),
            live.iter()
                .filter(|call| call.verdict != Verdict::Success)
                .count(),
            live.iter().filter(|call| call.slow).count(),
        );
        let too_many = if config.trip_on_refused {
            bad >= 3 && bad * 5 > calls
        } else {
            bad * 2 >= calls
        };
        if calls >= 10 && too_many {
            reasons.push(Reason::FailureRate);
        }
        if calls >= 10 && config.slow.is_some() && slow * 5 >= calls * 4 {
            reasons.push(Reason::SlowRate);
        }
        reasons
    }

    /// Whether more than one endpoint is behind it, or one without peers; of slowness also when no other one is known to
    /// be quick.
    fn is_everybodys(&self, reason: Reason, end: &End) -> bool {
        let alone = |calls: &[Judged]| calls[0].endpoint == end.endpoint && !end.peers;
        let several =
            |calls: &[Judged]| calls.iter().any(|call| call.endpoint != calls[0].endpoint);
        let live = self.live();
        match reason {
            Reason::ConsecutiveFailures => {
                let row = self.failing_row();
                several(&row) || alone(&row)
            }
            Reason::FailureRate => {
                let failing = of(&live, |call| failed(call.verdict));
                several(&failing) || alone(&failing)
            }
            Reason::ConsecutiveSlow => {
                let row = self.slow_row();
                let one = row[row.len() - 1].endpoint;
                let began = row.iter().map(|call| call.second as f64 - 1.5);
                let began = began.fold(f64::INFINITY, f64::min);
                let mut quick = live.iter().filter(|call| quick(call));
                several(&row)
                    || alone(&row)
                    || !quick.any(|call| call.endpoint != one && call.second as f64 >= began)
            }
            Reason::SlowRate => {
                let slow = of(&live, |call| call.slow);
                let one = slow[slow.len() - 1].endpoint;
                let mut quick = live.iter().filter(|call| quick(call));
                several(&slow) || alone(&slow) || !quick.any(|call| call.endpoint != one)
            }
            _ => true,
        }
    }

    /// Calls of the last ten seconds.
    fn live(&self) -> Vec<Judged> {
        of(&self.calls, |call| self.second - call.second < 10)
    }

    /// Calls at the end without ten quiet seconds between them, latest first.
    fn unbroken(&self) -> Vec<Judged> {
        let mut later = self.second;
        let latest = self.calls.iter().rev().copied();
        latest
            .take_while(|call| {
                let near = later - call.second < 10;
                later = call.second;
                near
            })
            .collect()
    }

    /// The failures at the end; an endpoint that asks for less does not end the row.
    fn failing_row(&self) -> Vec<Judged> {
        let row = self.unbroken().into_iter();
        let row: Vec<Judged> = row
            .take_while(|call| call.verdict != Verdict::Success)
            .collect();
        of(&row, |call| failed(call.verdict))
    }

    fn slow_row(&self) -> Vec<Judged> {
        let row = self.unbroken().into_iter();
        row.take_while(|call| call.slow).collect()
    }
}

fn of(calls: &[Judged], which: impl Fn(&Judged) -> bool) -> Vec<Judged> {
    calls.iter().copied().filter(which).collect()
}

fn quick(call: &Judged) -> bool {
    call.verdict == Verdict::Success && !call.slow
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

fn end() -> impl Strategy<Value = End> {
    let endpoint = prop_oneof![6 => Just(0), 1 => 1..3_usize];
    let fields = (
        verdict(),
        prop::bool::weighted(0.3),
        endpoint,
        any::<bool>(),
    );
    fields.prop_map(|(verdict, slow, endpoint, peers)| End {
        verdict,
        slow,
        endpoint,
        peers,
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => Just(Step::Acquire),
        8 => (any::<prop::sample::Index>(), end()).prop_map(|(at, end)| Step::Settle(at, end)),
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
            Step::Settle(at, end) if !world.permits.is_empty() => {
                let at = at.index(world.permits.len());
                let permit = world.permits.swap_remove(at);
                world.settle(permit, &end)?;
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
    #![proptest_config(ProptestConfig::with_cases(cases::BREAKER))]

    #[test]
    fn a_service_breaker_changes_only_by_the_rule(seed: u64, steps in prop::collection::vec(step(), 1..250)) {
        follow(BreakerConfig::service(), seed, steps)?;
    }

    #[test]
    fn an_endpoint_breaker_changes_only_by_the_rule(seed: u64, steps in prop::collection::vec(step(), 1..250)) {
        follow(ejection::config(), seed, steps)?;
    }
}
