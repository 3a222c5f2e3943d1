//! Single turns of the breaker's life.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::SmallRng;
use resilience::breaker::{
    Breaker, BreakerConfig, Mode, Permit, Reason, RejectReason, State, Transition,
};
use resilience::classify::Verdict;

const FAST: Duration = Duration::from_millis(5);

/// Lets so many calls end so, all admitted before the first ends.
fn calls(
    breaker: &Arc<Breaker>,
    count: usize,
    verdict: Verdict,
    now: Instant,
) -> Option<Transition> {
    let mut rng = SmallRng::seed_from_u64(1);
    let permits: Vec<Permit> = (0..count)
        .map(|_| breaker.try_acquire(now).unwrap().0)
        .collect();
    let ends = permits
        .into_iter()
        .map(|permit| breaker.settle(permit, verdict, FAST, now, &mut rng));
    ends.fold(None, |last, transition| transition.or(last))
}

#[test]
fn a_call_counts_as_slow_the_moment_it_is_slow_and_only_once() {
    let (breaker, now, mut rng) = (
        Breaker::new(BreakerConfig::service()),
        Instant::now(),
        SmallRng::seed_from_u64(1),
    );
    let mut permits: Vec<Permit> = (0..10)
        .map(|_| breaker.try_acquire(now).unwrap().0)
        .collect();
    let later = now + Duration::from_secs(1);
    for permit in &mut permits[..9] {
        assert_eq!(breaker.slow(permit, later, &mut rng), None);
        assert_eq!(breaker.slow(permit, later, &mut rng), None);
    }
    let transition = breaker.slow(&mut permits[9], later, &mut rng).unwrap();
    assert_eq!(
        (transition.to, transition.reason),
        (State::Open, Reason::ConsecutiveSlow)
    );
}

#[test]
fn a_good_window_does_not_delay_five_failures_in_a_row() {
    let (breaker, now) = (Breaker::new(BreakerConfig::service()), Instant::now());
    assert_eq!(calls(&breaker, 1_000, Verdict::Success, now), None);
    let transition = calls(&breaker, 5, Verdict::Failure, now).unwrap();
    assert_eq!(transition.reason, Reason::ConsecutiveFailures);
}

#[test]
fn a_body_cut_after_its_head_adds_a_failure_to_that_generation_only() {
    let (breaker, now, mut rng) = (
        Breaker::new(BreakerConfig::service()),
        Instant::now(),
        SmallRng::seed_from_u64(1),
    );
    let generation = breaker.status(now).generation;
    calls(&breaker, 4, Verdict::Failure, now);
    let transition = breaker.late_failure(generation, now, &mut rng).unwrap();
    assert_eq!(transition.reason, Reason::ConsecutiveFailures);
    let open = breaker.status(now);
    assert_eq!(breaker.late_failure(generation, now, &mut rng), None);
    assert_eq!(breaker.status(now), open);
}

#[test]
fn the_open_time_doubles_to_a_minute_and_is_forgiven_minute_by_minute() {
    let (breaker, mut now) = (Breaker::new(BreakerConfig::service()), Instant::now());
    calls(&breaker, 5, Verdict::Failure, now);
    let mut waits = Vec::new();
    for _ in 0..6 {
        let wait = breaker.status(now).opens_for.unwrap();
        waits.push(wait.as_secs_f64());
        now += wait;
        calls(&breaker, 1, Verdict::Failure, now);
    }
    for (wait, expected) in waits.iter().zip([5.0, 10.0, 20.0, 40.0, 60.0, 60.0]) {
        assert!(
            (expected * 0.9..=expected * 1.1).contains(wait),
            "{waits:?}"
        );
    }
    now += Duration::from_secs(60);
    calls(&breaker, 3, Verdict::Success, now);
    assert_eq!(breaker.state(), State::Closed);
    now += Duration::from_secs(60 * 60);
    calls(&breaker, 5, Verdict::Failure, now);
    assert!(breaker.status(now).opens_for.unwrap() < Duration::from_secs(6));
}

#[test]
fn an_operator_holds_it_open_or_lets_everything_pass() {
    let (breaker, now) = (Breaker::new(BreakerConfig::service()), Instant::now());
    let transition = breaker.set_mode(Mode::ForcedOpen, now).unwrap();
    assert_eq!(
        (transition.to, transition.reason),
        (State::Open, Reason::Operator)
    );
    let later = now + Duration::from_secs(3_600);
    assert_eq!(
        breaker.try_acquire(later).unwrap_err().reason,
        RejectReason::ForcedOpen
    );
    assert_eq!(
        breaker.set_mode(Mode::Disabled, later).unwrap().to,
        State::Closed
    );
    assert_eq!(calls(&breaker, 100, Verdict::Failure, later), None);
    assert_eq!("forced_open".parse(), Ok(Mode::ForcedOpen));
    assert!("open".parse::<Mode>().is_err());
}

#[test]
fn observing_changes_the_state_and_refuses_nothing() {
    let (breaker, now) = (Breaker::new(BreakerConfig::service()), Instant::now());
    breaker.set_mode(Mode::Observe, now);
    assert_eq!(
        calls(&breaker, 5, Verdict::Failure, now).unwrap().to,
        State::Open
    );
    assert_eq!(calls(&breaker, 100, Verdict::Failure, now), None);
    let later = now + Duration::from_secs(6);
    assert_eq!(
        calls(&breaker, 100, Verdict::Success, later).unwrap().to,
        State::Closed
    );
}
