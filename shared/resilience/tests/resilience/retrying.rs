//! Retries and their budget.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use resilience::balancer::Ask;
use resilience::breaker::State;
use resilience::classify::Outcome;
use resilience::endpoint::EndpointId;
use resilience::retry::{Attempted, Budget, Refusal, Retry, idempotent};

use super::cases;
use super::fleet::{Fleet, endpoint};

const UNAVAILABLE: Outcome = Outcome::Answered {
    status: 503,
    retry_after: None,
};

fn failed(outcome: &Outcome) -> Attempted<'_> {
    Attempted {
        idempotent: true,
        outcome,
        written: true,
        replayable: true,
        answer_begun: false,
        attempts: 1,
        remaining: Duration::from_secs(5),
    }
}

fn decide(attempted: &Attempted<'_>) -> Result<Duration, Refusal> {
    let budget = Budget::new();
    Retry::default().decide(
        attempted,
        &budget,
        Instant::now(),
        &mut SmallRng::seed_from_u64(1),
    )
}

fn answered(status: u16, retry_after: Option<u64>) -> Outcome {
    Outcome::Answered {
        status,
        retry_after: retry_after.map(Duration::from_secs),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases::BUDGETS))]

    #[test]
    fn attempts_stay_within_the_budget_under_any_failure_pattern(
        steps in prop::collection::vec((0_u64..700, 0_u32..30, 0_u32..60), 1..120),
    ) {
        let (budget, start) = (Budget::new(), Instant::now());
        let (mut at, mut requests, mut retries) = (Duration::ZERO, 0_u32, 0_u32);
        for (pause, asked, failed) in steps {
            at += Duration::from_millis(pause);
            let now = start + at;
            for _ in 0..asked {
                budget.request(now);
            }
            requests += asked;
            retries += u32::try_from((0..failed).filter(|_| budget.take(now)).count()).unwrap();
            let most = 0.2 * f64::from(requests) + 3.0 * (at.as_secs_f64() + 1.0);
            prop_assert!(f64::from(retries) <= most, "{retries} retries of {requests} requests in {at:?}");
        }
    }
}

#[test]
fn credit_from_good_weather_is_gone_after_ten_seconds() {
    let (budget, start) = (Budget::new(), Instant::now());
    for _ in 0..10_000 {
        budget.request(start);
    }
    assert_eq!(budget.balance(start), 2_003);
    assert_eq!(budget.balance(start + Duration::from_secs(10)), 30);
}

#[test]
fn a_first_retry_after_a_refused_connection_is_immediate_and_others_wait() {
    assert_eq!(
        decide(&failed(&Outcome::ConnectRefused)),
        Ok(Duration::ZERO)
    );
    let again = Attempted {
        attempts: 2,
        ..failed(&Outcome::ConnectRefused)
    };
    assert!(decide(&again).unwrap() >= Duration::from_millis(25));
    assert!(decide(&failed(&Outcome::Reset)).unwrap() <= Duration::from_millis(250));
}

#[test]
fn what_another_attempt_cannot_better_is_final() {
    for outcome in [
        answered(200, None),
        answered(404, None),
        answered(429, None),
        answered(501, None),
        answered(505, None),
    ] {
        assert_eq!(
            decide(&failed(&outcome)),
            Err(Refusal::Final),
            "{outcome:?}"
        );
    }
    for outcome in [
        Outcome::BodyCut,
        Outcome::CallerLeft,
        Outcome::DeadlineShort,
        Outcome::NotSent,
    ] {
        assert_eq!(
            decide(&failed(&outcome)),
            Err(Refusal::Final),
            "{outcome:?}"
        );
    }
    for outcome in [
        answered(500, None),
        UNAVAILABLE,
        answered(504, None),
        Outcome::ConnectTimeout,
        Outcome::AttemptTimeout,
    ] {
        assert!(decide(&failed(&outcome)).is_ok(), "{outcome:?}");
    }
}

#[test]
fn an_overloaded_upstream_is_asked_again_only_when_its_wait_fits() {
    for status in [429, 503] {
        assert!(decide(&failed(&answered(status, Some(2)))).unwrap() >= Duration::from_secs(2));
        assert_eq!(
            decide(&failed(&answered(status, Some(5)))),
            Err(Refusal::Deadline)
        );
    }
}

#[test]
fn a_post_without_a_key_runs_at_most_once() {
    assert!(!idempotent("POST", false));
    assert!(idempotent("POST", true));
    assert!(!idempotent("PATCH", true));
    let post = Attempted {
        idempotent: false,
        ..failed(&Outcome::Reset)
    };
    assert_eq!(decide(&post), Err(Refusal::NotIdempotent));
    assert!(
        decide(&Attempted {
            written: false,
            ..failed(&Outcome::ConnectRefused)
        })
        .is_ok()
    );
}

#[test]
fn no_retry_after_two_nor_after_the_first_byte_nor_without_the_body_nor_without_budget() {
    let outcome = UNAVAILABLE;
    assert_eq!(
        decide(&Attempted {
            attempts: 3,
            ..failed(&outcome)
        }),
        Err(Refusal::AttemptsUsed)
    );
    assert_eq!(
        decide(&Attempted {
            answer_begun: true,
            ..failed(&outcome)
        }),
        Err(Refusal::AnswerBegun)
    );
    assert_eq!(
        decide(&Attempted {
            replayable: false,
            ..failed(&outcome)
        }),
        Err(Refusal::NotReplayable)
    );
    assert_eq!(
        decide(&Attempted {
            remaining: Duration::from_millis(20),
            ..failed(&outcome)
        }),
        Err(Refusal::Deadline)
    );
    let (budget, now) = (Budget::new(), Instant::now());
    let mut rng = SmallRng::seed_from_u64(1);
    let mut again = || Retry::default().decide(&failed(&outcome), &budget, now, &mut rng);
    assert!((0..3).all(|_| again().is_ok()));
    assert_eq!(again(), Err(Refusal::Budget));
}

#[test]
fn a_frozen_instance_cannot_use_up_the_deadline() {
    let retry = Retry::default();
    assert_eq!(
        retry.attempt_timeout(Duration::from_secs(10), true),
        Duration::from_secs(1)
    );
    assert_eq!(
        retry.attempt_timeout(Duration::from_secs(1), true),
        Duration::from_millis(500)
    );
    assert_eq!(
        retry.attempt_timeout(Duration::from_secs(10), false),
        Duration::from_secs(10)
    );
}

#[test]
fn a_rule_without_a_budget_is_refused_nothing_by_an_empty_one() {
    let budget = Budget::new();
    let now = Instant::now();
    while budget.take(now) {}
    let unbounded = Retry {
        budgeted: false,
        ..Retry::default()
    };
    let attempted = failed(&UNAVAILABLE);
    let mut rng = SmallRng::seed_from_u64(1);
    let decided = |rule: &Retry, rng: &mut SmallRng| rule.decide(&attempted, &budget, now, rng);
    assert_eq!(decided(&Retry::default(), &mut rng), Err(Refusal::Budget));
    assert!(decided(&unbounded, &mut rng).is_ok());
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::ConnectRefused),
        Just(Outcome::ConnectTimeout),
        Just(Outcome::Reset),
        Just(Outcome::AttemptTimeout),
        Just(Outcome::CallerLeft),
        (
            prop::sample::select(vec![200_u16, 404, 429, 500, 501, 503, 505]),
            prop::option::of(0_u64..4)
        )
            .prop_map(|(status, after)| answered(status, after)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases::REQUESTS))]

    #[test]
    fn a_request_is_tried_three_times_at_most_once_if_it_may_not_run_twice_and_never_too_late(
        method in prop::sample::select(vec!["GET", "PUT", "POST", "PATCH"]),
        keyed: bool,
        seed: u64,
        replayable: bool,
        millis in 1_u64..3_000,
        attempts in prop::collection::vec((outcome(), any::<bool>(), prop::bool::weighted(0.1), 0_u64..1_000), 20),
    ) {
        let (budget, start) = (Budget::new(), Instant::now());
        let mut rng = SmallRng::seed_from_u64(seed);
        (0..100).for_each(|_| budget.request(start));
        let deadline = Duration::from_millis(millis);
        let (mut at, mut made, mut ran) = (Duration::ZERO, 0, 0);
        for (outcome, written, answer_begun, took) in attempts {
            made += 1;
            ran += u32::from(written);
            at += Duration::from_millis(took);
            let attempted = Attempted {
                idempotent: idempotent(method, keyed),
                outcome: &outcome,
                written,
                replayable,
                answer_begun,
                attempts: made,
                remaining: deadline.saturating_sub(at),
            };
            let Ok(wait) = Retry::default().decide(&attempted, &budget, start + at, &mut rng) else { break };
            prop_assert!(!answer_begun && replayable);
            at += wait;
            prop_assert!(at < deadline, "another attempt at {at:?} of {deadline:?}");
        }
        prop_assert!(made <= 3, "{made} attempts");
        prop_assert!(idempotent(method, keyed) || ran <= 1, "{method} ran {ran} times");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases::RETRIED))]

    #[test]
    fn no_attempt_goes_to_an_ejected_endpoint_but_as_its_probe(
        count in 1_usize..10,
        out in prop::collection::vec(0_usize..10, 0..10),
        tried in prop::collection::vec(0_usize..10, 0..3),
        idempotent: bool,
        pause in 0_u64..4_000,
    ) {
        let mut fleet = Fleet::new((0..count).map(|at| endpoint(&at.to_string(), ["a", "b"][at % 2])).collect());
        let mut out: Vec<usize> = out.into_iter().filter(|at| *at < count).collect();
        out.sort_unstable();
        out.dedup();
        for at in &out {
            fleet.call(&at.to_string(), &Outcome::ConnectRefused);
        }
        fleet.wait(pause as f64 / 1_000.0);
        let tried: Vec<EndpointId> = tried.iter().map(|at| EndpointId::new(&at.to_string())).collect();
        for _ in 0..20 {
            let states = fleet.balancer.status(fleet.now);
            let Ok(pick) = fleet.pick(&Ask { tried: &tried, idempotent }) else { continue };
            let before = states.iter().find(|seat| seat.endpoint.id == pick.endpoint().id).unwrap();
            prop_assert_eq!(before.state == State::Closed, !pick.probe());
            prop_assert!(before.state != State::Open || before.opens_for == Some(Duration::ZERO));
        }
    }
}
