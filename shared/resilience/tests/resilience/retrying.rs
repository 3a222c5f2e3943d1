//! Retries and their budget.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use resilience::classify::Outcome;
use resilience::retry::{Attempted, Budget, Refusal, Retry, idempotent};

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
