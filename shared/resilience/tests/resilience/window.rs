//! Windows against a list of every call.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use resilience::window::{Counts, Window};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(super::cases::WINDOW))]

    #[test]
    fn counts_are_conserved_and_nothing_older_than_ten_seconds_counts(
        steps in prop::collection::vec((0_u64..4, any::<bool>(), any::<bool>()), 1..200),
    ) {
        let start = Instant::now();
        let mut window = Window::default();
        let mut calls: Vec<(u64, bool, bool)> = Vec::new();
        let mut second = 0;
        for (pause, failed, slow) in steps {
            second += pause;
            let now = start + Duration::from_secs(second);
            window.add(Counts { calls: 1, failures: u32::from(failed), slow: u32::from(slow) }, now);
            calls.push((second, failed, slow));
            let live: Vec<_> = calls.iter().filter(|call| second - call.0 < 10).collect();
            let count = |of: &dyn Fn(&(u64, bool, bool)) -> bool| {
                u32::try_from(live.iter().filter(|call| of(call)).count()).unwrap()
            };
            let expected = Counts { calls: count(&|_| true), failures: count(&|call| call.1), slow: count(&|call| call.2) };
            prop_assert_eq!(window.sum(now), expected);
        }
    }
}
