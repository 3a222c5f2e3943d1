//! Zones.

use std::collections::BTreeMap;

use proptest::prelude::*;
use resilience::balancer::PickReason;
use resilience::classify::Outcome;
use resilience::endpoint::{Endpoint, Health, Snapshot, Zone};
use resilience::zone::shares;

use super::cases;
use super::fleet::{Fleet, endpoint};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn by_zone<T: Copy>(values: &[T]) -> BTreeMap<Zone, T> {
    NAMES
        .iter()
        .zip(values)
        .map(|(name, value)| (Zone::new(name), *value))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases::SHARES))]

    #[test]
    fn shares_add_up_to_one(
        local in 0_usize..4,
        capacity in prop::collection::vec(0_u32..20, 1..5),
        callers in prop::collection::vec(0_u32..5, 1..5),
        spilled in 0.0_f64..1.0,
    ) {
        let capacity: Vec<f64> = capacity.into_iter().map(f64::from).collect();
        let shares = shares(&Zone::new(NAMES[local]), &by_zone(&capacity), &by_zone(&callers), spilled);
        let sum: f64 = shares.iter().map(|share| share.fraction).sum();
        if capacity.iter().sum::<f64>() == 0.0 {
            prop_assert!(shares.is_empty());
        } else {
            prop_assert!((sum - 1.0).abs() < 1e-9, "{shares:?}");
        }
        for share in &shares {
            prop_assert!(share.fraction > 0.0);
            prop_assert_eq!(share.reason == PickReason::Local, share.zone.as_str() == NAMES[local]);
        }
    }

    #[test]
    fn all_callers_together_load_every_zone_by_its_capacity(
        capacity in prop::collection::vec(0_u32..20, 4),
        callers in prop::collection::vec(0_u32..5, 4),
    ) {
        let zones = callers.iter().filter(|count| **count > 0).count();
        let total: f64 = capacity.iter().copied().map(f64::from).sum();
        prop_assume!(zones > 1 && total > 0.0);
        let everybody: f64 = callers.iter().copied().map(f64::from).sum();
        let floats: Vec<f64> = capacity.iter().copied().map(f64::from).collect();
        let mut load: BTreeMap<Zone, f64> = BTreeMap::new();
        for (name, count) in NAMES.iter().zip(&callers).filter(|(_, count)| **count > 0) {
            for share in shares(&Zone::new(name), &by_zone(&floats), &by_zone(&callers), 0.0) {
                *load.entry(share.zone).or_insert(0.0) += share.fraction * f64::from(*count) / everybody;
            }
        }
        for (name, capacity) in NAMES.iter().zip(&floats) {
            let load = load.get(&Zone::new(name)).copied().unwrap_or(0.0);
            prop_assert!((load - capacity / total).abs() < 1e-9, "{name}: {load} of {capacity}");
        }
    }
}

#[test]
fn with_even_zones_every_endpoint_gets_the_same_within_a_twentieth() {
    let endpoints: Vec<_> = (0..6)
        .map(|at| endpoint(&at.to_string(), NAMES[at % 2]))
        .collect();
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for zone in ["a", "b"] {
        let mut fleet = Fleet::seen_from(zone, endpoints.clone(), &[("a", 1), ("b", 1)]);
        for (name, count) in fleet.census(cases::PICKS / 2) {
            *counts.entry(name).or_insert(0) += count;
        }
    }
    let fair = f64::from(cases::PICKS) / 6.0;
    assert!(
        counts
            .values()
            .all(|count| (f64::from(*count) / fair - 1.0).abs() < 0.05),
        "{counts:?}"
    );
}

/// Who exists: for each id its zone and whether it may be called.
fn population() -> impl Strategy<Value = Vec<(usize, bool)>> {
    prop::collection::vec((0_usize..4, prop::bool::weighted(0.7)), 0..10)
}

fn endpoints(of: &[(usize, bool)]) -> Vec<Endpoint> {
    let named = |(at, (zone, well)): (usize, &(usize, bool))| Endpoint {
        health: if *well {
            Health::Passing
        } else {
            Health::Critical
        },
        ever_passed: false,
        // An instance does not move: its id names its zone.
        ..endpoint(&format!("{}-{at}", NAMES[*zone]), NAMES[*zone])
    };
    of.iter().enumerate().map(named).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases::SHARES))]

    #[test]
    fn one_update_makes_shares_of_the_new_set_that_add_up_to_one(
        before in population(),
        after in population(),
        callers in prop::collection::vec(0_u32..5, 4),
        waited in 0_u64..15,
    ) {
        let (before, after, callers) = (endpoints(&before), endpoints(&after), by_zone(&callers));
        let mut fleet = Fleet::new(before.clone());
        fleet.wait(waited as f64);
        fleet.balancer.update(&Snapshot::new(2, after.clone()), &callers, fleet.now);

        let mut capacity: BTreeMap<Zone, f64> = BTreeMap::new();
        for seat in fleet.balancer.status(fleet.now).iter().filter(|seat| seat.endpoint.eligible()) {
            *capacity.entry(seat.endpoint.zone.clone()).or_insert(0.0) += seat.ramp;
        }
        let zones = fleet.balancer.zones(fleet.now);
        let shown: BTreeMap<Zone, f64> = zones.iter().map(|zone| (zone.zone.clone(), zone.share)).collect();
        prop_assert!(shown.keys().eq(capacity.keys()), "{shown:?} of {capacity:?}");
        let sum: f64 = shown.values().sum();
        prop_assert!((sum - f64::from(u8::from(!capacity.is_empty()))).abs() < 1e-6, "{shown:?}");

        let local = |set: &[Endpoint]| set.iter().any(|one| one.eligible() && one.zone.as_str() == "a");
        // Who comes back to a zone that was lost comes home step by step: `spilling` proves that.
        if local(&before) || !local(&after) {
            let mut expected: BTreeMap<Zone, f64> = BTreeMap::new();
            for share in shares(&Zone::new("a"), &capacity, &callers, 0.0) {
                *expected.entry(share.zone).or_insert(0.0) += share.fraction;
            }
            for (zone, share) in &shown {
                let expected = expected.get(zone).copied().unwrap_or(0.0);
                prop_assert!((share - expected).abs() < 1e-6, "{zone:?}: {share}, not {expected}");
            }
        }
        for _ in 0..20 {
            match fleet.pick(&super::fleet::IDEMPOTENT) {
                Ok(pick) => prop_assert!(pick.endpoint().eligible() && after.contains(pick.endpoint()) || capacity.is_empty()),
                Err(_) => prop_assert!(capacity.is_empty()),
            }
        }
    }
}

#[test]
fn losing_a_zone_moves_its_share_with_one_update() {
    let endpoints: Vec<_> = (0..4)
        .map(|at| endpoint(&at.to_string(), NAMES[at % 2]))
        .collect();
    let mut fleet = Fleet::new(endpoints.clone());
    assert_eq!(fleet.census(100).len(), 2);
    fleet.update(
        endpoints
            .into_iter()
            .filter(|endpoint| endpoint.zone.as_str() == "b")
            .collect(),
    );
    let pick = fleet.pick(&super::fleet::IDEMPOTENT).unwrap();
    assert_eq!(
        (pick.endpoint().zone.as_str(), pick.reason()),
        ("b", PickReason::NoLocal)
    );
}

#[test]
fn ejecting_a_whole_zone_moves_its_share_without_any_update() {
    let endpoints: Vec<_> = (0..4)
        .map(|at| endpoint(&at.to_string(), NAMES[at % 2]))
        .collect();
    let mut fleet = Fleet::new(endpoints);
    fleet.call("0", &Outcome::ConnectRefused);
    fleet.call("2", &Outcome::ConnectRefused);
    let census = fleet.census(1_000);
    assert_eq!(census.keys().collect::<Vec<_>>(), ["1", "3"]);
    fleet.wait(60.0);
    for _ in 0..6 {
        fleet.census(10);
        fleet.wait(1.0);
    }
    assert!(fleet.census(1_000).keys().eq(["0", "2"]));
}
