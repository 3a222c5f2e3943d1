//! Single turns of the breaker's life.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::SmallRng;
use resilience::breaker::{
    Breaker, BreakerConfig, Mode, Permit, Reason, RejectReason, Source, State, Transition,
};
use resilience::classify::Verdict;
use resilience::endpoint::EndpointId;

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
        .map(|permit| breaker.settle(permit, verdict, FAST, Source::default(), now, &mut rng));
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
        assert_eq!(
            breaker.slow(permit, Source::default(), later, &mut rng),
            None
        );
        assert_eq!(
            breaker.slow(permit, Source::default(), later, &mut rng),
            None
        );
    }
    let transition = breaker
        .slow(&mut permits[9], Source::default(), later, &mut rng)
        .unwrap();
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
    let receipt = breaker.try_acquire(now).unwrap().0.receipt();
    calls(&breaker, 4, Verdict::Failure, now);
    let nobody = Source::default();
    let transition = breaker
        .late_failure(receipt, nobody, now, &mut rng)
        .unwrap();
    assert_eq!(transition.reason, Reason::ConsecutiveFailures);
    let open = breaker.status(now);
    assert_eq!(breaker.late_failure(receipt, nobody, now, &mut rng), None);
    assert_eq!(breaker.status(now), open);
}

#[test]
fn a_service_whose_answers_are_all_cut_is_open_after_ten_of_them_and_one_cutting_instance_is_not() {
    for (endpoints, peers, opens) in [(2, true, true), (1, false, true), (1, true, false)] {
        let (breaker, now, mut rng) = (
            Breaker::new(BreakerConfig::service()),
            Instant::now(),
            SmallRng::seed_from_u64(1),
        );
        let ids = ["a1", "a2"].map(EndpointId::new);
        for call in 0..10 {
            let asked = [ids[call % endpoints].clone()];
            let source = Source {
                endpoints: &asked,
                peers,
            };
            let (permit, _) = breaker.try_acquire(now).unwrap();
            let (receipt, quick) = (permit.receipt(), Duration::from_millis(1));
            let head = breaker.settle(permit, Verdict::Success, quick, source, now, &mut rng);
            let cut = breaker.late_failure(receipt, source, now, &mut rng);
            assert_eq!(
                head.or(cut).is_some(),
                opens && call == 9,
                "{endpoints} {peers} {call}"
            );
        }
    }
}

#[test]
fn under_observation_a_cut_answer_that_was_no_probe_ends_no_probing() {
    let (breaker, mut now, mut rng) = (
        Breaker::new(BreakerConfig::service()),
        Instant::now(),
        SmallRng::seed_from_u64(1),
    );
    breaker.set_mode(Mode::Observe, now);
    calls(&breaker, 5, Verdict::Failure, now);
    now += breaker.status(now).opens_for.unwrap();
    let probes: Vec<_> = (0..3)
        .map(|_| breaker.try_acquire(now).unwrap().0)
        .collect();
    let other = breaker.try_acquire(now).unwrap().0;
    assert!(probes.iter().all(Permit::is_probe) && !other.is_probe());
    let nobody = Source::default();
    assert_eq!(
        breaker.late_failure(other.receipt(), nobody, now, &mut rng),
        None
    );
    assert_eq!(breaker.state(), State::HalfOpen);
    let again = breaker.late_failure(probes[0].receipt(), nobody, now, &mut rng);
    assert_eq!(again.unwrap().reason, Reason::ProbeFailed);
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
fn it_tries_again_within_its_longest_open_time_however_often_it_failed() {
    let longest = Duration::from_secs(7);
    let rule = BreakerConfig {
        longest,
        ..BreakerConfig::service()
    };
    let (breaker, mut now) = (Breaker::new(rule), Instant::now());
    calls(&breaker, 5, Verdict::Failure, now);
    for _ in 0..8 {
        let wait = breaker.status(now).opens_for.unwrap();
        assert!(wait <= longest, "{wait:?}");
        now += wait;
        calls(&breaker, 1, Verdict::Failure, now);
    }
    assert_eq!(breaker.status(now).opens_for, Some(longest));
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

/// One call ends so on that endpoint, which has peers.
fn call(
    breaker: &Arc<Breaker>,
    endpoint: &str,
    (verdict, elapsed): (Verdict, Duration),
    now: Instant,
) -> Option<Transition> {
    let endpoints = [EndpointId::new(endpoint)];
    let source = Source {
        endpoints: &endpoints,
        peers: true,
    };
    let (permit, _) = breaker.try_acquire(now).unwrap();
    let mut rng = SmallRng::seed_from_u64(1);
    breaker.settle(permit, verdict, elapsed, source, now, &mut rng)
}

const FAILED: (Verdict, Duration) = (Verdict::Failure, FAST);
const SLOW: (Verdict, Duration) = (Verdict::Success, Duration::from_secs(2));
const QUICK: (Verdict, Duration) = (Verdict::Success, FAST);

#[test]
fn one_sick_endpoint_does_not_open_the_circuit_of_its_peers_and_a_second_one_does() {
    let (breaker, now) = (Breaker::new(BreakerConfig::service()), Instant::now());
    for _ in 0..100 {
        assert_eq!(call(&breaker, "sick", FAILED, now), None);
    }
    let transition = call(&breaker, "other", FAILED, now).unwrap();
    assert_eq!(transition.reason, Reason::ConsecutiveFailures);
}

#[test]
fn a_call_that_failed_on_two_endpoints_is_not_one_endpoints_doing() {
    let (breaker, now) = (Breaker::new(BreakerConfig::service()), Instant::now());
    for _ in 0..4 {
        assert_eq!(call(&breaker, "one", FAILED, now), None);
    }
    let endpoints = ["one", "two"].map(EndpointId::new);
    let source = Source {
        endpoints: &endpoints,
        peers: true,
    };
    let (permit, _) = breaker.try_acquire(now).unwrap();
    let mut rng = SmallRng::seed_from_u64(1);
    let transition = breaker.settle(permit, Verdict::Failure, FAST, source, now, &mut rng);
    assert_eq!(transition.unwrap().reason, Reason::ConsecutiveFailures);
}

#[test]
fn one_slow_endpoint_opens_it_unless_a_peer_has_answered_in_time_since() {
    let (breaker, now) = (Breaker::new(BreakerConfig::service()), Instant::now());
    // Long ago: of no weight by the time the slow calls began.
    call(&breaker, "peer", QUICK, now);
    let later = now + Duration::from_secs(5);
    for _ in 0..9 {
        assert_eq!(call(&breaker, "slow", SLOW, later), None);
    }
    let transition = call(&breaker, "slow", SLOW, later).unwrap();
    assert_eq!(transition.reason, Reason::ConsecutiveSlow);

    let breaker = Breaker::new(BreakerConfig::service());
    call(&breaker, "peer", QUICK, later - Duration::from_secs(1));
    for _ in 0..100 {
        assert_eq!(call(&breaker, "slow", SLOW, later), None);
    }
    let transition = call(&breaker, "peer", SLOW, later).unwrap();
    assert_eq!(transition.reason, Reason::ConsecutiveSlow);
}

#[test]
fn being_asked_for_less_is_no_failure_but_fails_a_probe() {
    for config in [BreakerConfig::service(), resilience::ejection::config()] {
        being_asked_for_less(config);
    }
}

fn being_asked_for_less(config: BreakerConfig) {
    let (breaker, now) = (Breaker::new(config), Instant::now());
    let busy = Verdict::Overloaded {
        rest: Duration::from_secs(1),
    };
    let status = breaker.status(now);
    assert_eq!(calls(&breaker, 1_000, busy, now), None);
    assert_eq!(calls(&breaker, 4, Verdict::Failure, now), None);
    assert_eq!(breaker.status(now), status);
    calls(&breaker, 1, Verdict::Failure, now).unwrap();
    let later = now + Duration::from_secs(6);
    let transition = calls(&breaker, 1, busy, later).unwrap();
    assert_eq!(
        (transition.to, transition.reason),
        (State::Open, Reason::ProbeFailed)
    );
}
