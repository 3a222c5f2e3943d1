//! Many threads at one breaker, and a clock that jumps.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use resilience::breaker::{Breaker, BreakerConfig, Source, State};
use resilience::classify::Verdict;

use super::cases;

const THREADS: u64 = 8;

#[test]
fn never_more_probes_than_allowed_in_any_interleaving() {
    let config = BreakerConfig {
        successes: u32::MAX,
        ..BreakerConfig::service()
    };
    for seed in 0..u64::from(cases::INTERLEAVINGS) {
        let (breaker, now) = (Breaker::new(config.clone()), Instant::now());
        let mut rng = SmallRng::seed_from_u64(seed);
        for _ in 0..config.consecutive_failures {
            let (permit, _) = breaker.try_acquire(now).unwrap();
            let source = Source::default();
            let (verdict, took) = (Verdict::Failure, Duration::ZERO);
            breaker.settle(permit, verdict, took, source, now, &mut rng);
        }
        let later = now + Duration::from_secs(6);
        let (running, most) = (AtomicU32::new(0), AtomicU32::new(0));
        let together = Barrier::new(THREADS as usize);
        let worker = |number: u64| {
            let mut rng = SmallRng::seed_from_u64(seed * THREADS + number);
            together.wait();
            for _ in 0..50 {
                let Ok((permit, _)) = breaker.try_acquire(later) else {
                    continue;
                };
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                if rng.random_bool(0.1) {
                    std::thread::yield_now();
                }
                // Counted out first: the next one may come in as soon as the permit is back.
                running.fetch_sub(1, Ordering::SeqCst);
                if rng.random_bool(0.5) {
                    drop(permit);
                } else {
                    let (verdict, took) = (Verdict::Success, Duration::ZERO);
                    let source = Source::default();
                    breaker.settle(permit, verdict, took, source, later, &mut rng);
                }
            }
        };
        std::thread::scope(|scope| {
            for number in 0..THREADS {
                scope.spawn(move || worker(number));
            }
        });
        let most = most.into_inner();
        assert!(
            (1..=config.probes).contains(&most),
            "{most} probes, seed {seed}"
        );
        assert_eq!(breaker.state(), State::HalfOpen);
        let all: Vec<_> = (0..config.probes)
            .map(|_| breaker.try_acquire(later))
            .collect();
        assert!(
            all.iter().all(Result::is_ok),
            "a permit is missing, seed {seed}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases::BREAKER))]

    #[test]
    fn time_that_jumps_back_neither_opens_nor_lets_pass_too_early(
        seed: u64,
        jumps in prop::collection::vec(0_u64..100_000, 1..40),
    ) {
        let (breaker, start) = (Breaker::new(BreakerConfig::service()), Instant::now());
        let mut rng = SmallRng::seed_from_u64(seed);
        let now = start + Duration::from_secs(1_000);
        let mut call = |verdict, now| {
            let (permit, _) = breaker.try_acquire(now).unwrap();
            breaker.settle(permit, verdict, Duration::ZERO, Source::default(), now, &mut rng)
        };
        for _ in 0..1_000 {
            call(Verdict::Success, now);
        }
        for jump in &jumps {
            prop_assert_eq!(call(Verdict::Success, now - Duration::from_millis(*jump)), None);
        }
        for _ in 0..5 {
            call(Verdict::Failure, now);
        }
        prop_assert_eq!(breaker.state(), State::Open);
        let wait = breaker.status(now).opens_for.unwrap();
        for jump in jumps {
            let rejected = breaker.try_acquire(now - Duration::from_millis(jump)).unwrap_err();
            prop_assert_eq!(rejected.retry_after, wait + Duration::from_millis(jump));
        }
        prop_assert!(breaker.try_acquire(now + wait).is_ok());
    }
}
