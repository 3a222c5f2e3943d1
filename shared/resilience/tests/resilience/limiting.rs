//! Rate limits.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::FakeRelativeClock;
use proptest::prelude::*;
use resilience::limiter::{Decision, Limiter, Rate};

use super::cases;

fn some(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

fn limiter(
    per_second: u32,
    burst: u32,
    keys: usize,
) -> (Limiter<u32, FakeRelativeClock>, FakeRelativeClock) {
    let clock = FakeRelativeClock::default();
    clock.advance(Duration::from_secs(1));
    let rate = Rate {
        cells: some(per_second),
        per: Duration::from_secs(1),
        burst: some(burst),
    };
    (Limiter::with_clock(rate, keys, clock.clone()), clock)
}

fn admitted(decision: Decision) -> bool {
    matches!(decision, Decision::Admitted { .. })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases::QUOTAS))]

    #[test]
    fn no_window_admits_more_than_the_burst_and_its_share_of_the_rate(
        rate in 1_u32..200,
        burst in 1_u32..40,
        steps in prop::collection::vec((0_u64..60, 1_u32..4), 1..150),
    ) {
        let (limiter, clock) = limiter(rate, burst, 10);
        let mut at = Duration::ZERO;
        let mut charged: Vec<(Duration, u32)> = Vec::new();
        for (pause, cells) in steps {
            clock.advance(Duration::from_millis(pause));
            at += Duration::from_millis(pause);
            if admitted(limiter.check(&1, some(cells))) {
                charged.push((at, cells.min(burst)));
            }
        }
        for (first, (start, _)) in charged.iter().enumerate() {
            let mut sum = 0;
            for (end, cells) in &charged[first..] {
                sum += cells;
                let most = f64::from(burst) + f64::from(rate) * (*end - *start).as_secs_f64();
                prop_assert!(f64::from(sum) <= most + 1e-6, "{sum} in {:?}, at most {most}", *end - *start);
            }
        }
    }

    #[test]
    fn a_refusal_costs_nothing_and_waiting_as_long_as_told_admits(
        rate in 1_u32..200,
        burst in 1_u32..40,
        cells in 1_u32..5,
        pauses in prop::collection::vec(0_u64..30, 1..60),
    ) {
        let (limiter, clock) = limiter(rate, burst, 10);
        for pause in pauses {
            clock.advance(Duration::from_millis(pause));
            let Decision::Refused { retry_after, reset, .. } = limiter.check(&1, some(cells)) else { continue };
            prop_assert_eq!(limiter.check(&1, some(cells)), Decision::Refused { limit: burst, retry_after, reset });
            prop_assert!(reset >= retry_after);
            clock.advance(retry_after);
            prop_assert!(admitted(limiter.check(&1, some(cells))));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases::WORKERS))]

    #[test]
    fn the_sum_over_all_workers_is_what_one_alone_would_get(
        rate in 1_u32..200,
        burst in 1_u32..400,
        workers in 2_usize..6,
        phases in prop::collection::vec((0_u64..2_000, 1_usize..200), 1..5),
    ) {
        let (shared, clock) = limiter(rate, burst, 10);
        let (alone, of_alone) = limiter(rate, burst, 10);
        for (pause, asks) in phases {
            clock.advance(Duration::from_millis(pause));
            of_alone.advance(Duration::from_millis(pause));
            let worker = || (0..asks).filter(|_| admitted(shared.check(&1, some(1)))).count();
            let together: usize = std::thread::scope(|scope| {
                let running: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
                running.into_iter().map(|one| one.join().unwrap()).sum()
            });
            let expected = (0..asks * workers).filter(|_| admitted(alone.check(&1, some(1)))).count();
            prop_assert_eq!(together, expected);
            prop_assert!(together <= burst as usize);
        }
    }
}

#[test]
fn sharing_among_more_gateways_charges_more_and_refills_nobody() {
    let (limiter, clock) = limiter(10, 10, 10);
    assert_eq!(
        limiter.check(&1, some(1)),
        Decision::Admitted {
            limit: 10,
            remaining: 9,
            reset: Duration::from_millis(100)
        }
    );
    let shared = (0..10)
        .filter(|_| admitted(limiter.check(&1, some(2))))
        .count();
    assert_eq!(shared, 4);
    assert!(admitted(limiter.check(&1, some(1))));
    assert!(!admitted(limiter.check(&1, some(1))));
    clock.advance(Duration::from_millis(100));
    assert!(!admitted(limiter.check(&1, some(2))));
    assert!(admitted(limiter.check(&1, some(1))));
}

#[test]
fn more_cells_than_the_burst_are_charged_as_the_burst() {
    let (limiter, _clock) = limiter(10, 2, 10);
    assert!(admitted(limiter.check(&1, some(5))));
    assert!(!admitted(limiter.check(&1, some(5))));
}

#[test]
fn memory_is_bounded_and_late_keys_share_one_state_until_there_is_room() {
    let (limiter, clock) = limiter(10, 2, 100);
    let usage = limiter.usage();
    for key in 0..cases::KEYS {
        limiter.check(&key, some(1));
    }
    assert_eq!((limiter.len(), usage.keys()), (100, 100));
    assert_eq!(usage.overflowed(), u64::from(cases::KEYS) - 100);
    assert!(!admitted(limiter.check(&20_000, some(1))));
    assert!(admitted(limiter.check(&0, some(1))));
    clock.advance(Duration::from_secs(1));
    limiter.prune();
    assert!(limiter.is_empty());
    assert!(admitted(limiter.check(&20_000, some(2))));
    assert_eq!((limiter.len(), usage.keys()), (1, 1));
}
