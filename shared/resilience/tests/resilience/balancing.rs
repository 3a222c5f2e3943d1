//! Who gets how much.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use resilience::balancer::Ask;
use resilience::classify::Outcome;
use resilience::endpoint::{Endpoint, EndpointId, Snapshot};

use super::cases;
use super::fleet::{Fleet, IDEMPOTENT, OK, endpoint, weighing};

/// Runs calls at that rate against endpoints of a mean latency in seconds each; the share of each.
fn simulate(
    fleet: &mut Fleet,
    rate: f64,
    seconds: f64,
    latency: &BTreeMap<&str, f64>,
) -> BTreeMap<String, f64> {
    let mut dice = SmallRng::seed_from_u64(11);
    let start = fleet.now;
    let mut ends = BinaryHeap::new();
    let mut running = BTreeMap::new();
    let mut counts: BTreeMap<String, f64> = BTreeMap::new();
    let (mut at, mut number) = (0.0, 0_u64);
    let finish = |fleet: &mut Fleet,
                  ends: &mut BinaryHeap<_>,
                  running: &mut BTreeMap<u64, _>,
                  until: f64| {
        while let Some(&Reverse((end, call))) = ends.peek() {
            if end > Duration::from_secs_f64(until) {
                break;
            }
            ends.pop();
            fleet.now = start + end;
            let mut pick = running.remove(&call).unwrap();
            fleet.settle(&mut pick, &OK);
        }
    };
    while at < seconds {
        at += -dice.random_range(f64::EPSILON..1.0).ln() / rate;
        finish(fleet, &mut ends, &mut running, at);
        fleet.now = start + Duration::from_secs_f64(at);
        let pick = fleet.pick(&IDEMPOTENT).unwrap();
        let name = pick.endpoint().id.to_string();
        let took = latency[name.as_str()] * dice.random_range(0.7..1.3);
        *counts.entry(name).or_insert(0.0) += 1.0;
        ends.push(Reverse((Duration::from_secs_f64(at + took), number)));
        running.insert(number, pick);
        number += 1;
    }
    let total: f64 = counts.values().sum();
    counts
        .into_iter()
        .map(|(name, count)| (name, count / total))
        .collect()
}

#[test]
fn weights_share_at_every_rate() {
    for (heavy, range) in [(3, 0.23..0.29), (10, 0.08..0.115)] {
        for rate in [5.0, 50.0, 500.0] {
            let mut fleet = Fleet::new(vec![
                weighing("light", "a", 1),
                weighing("heavy", "a", heavy),
            ]);
            let latency = BTreeMap::from([("light", 0.005), ("heavy", 0.005)]);
            let shares = simulate(&mut fleet, rate, 4_000.0 / rate, &latency);
            assert!(
                range.contains(&shares["light"]),
                "1:{heavy} at {rate}/s: {shares:?}"
            );
        }
    }
}

#[test]
fn a_ten_times_slower_peer_gets_next_to_nothing() {
    for rate in [5.0, 50.0, 500.0] {
        let mut fleet = Fleet::new(vec![endpoint("quick", "a"), endpoint("slow", "a")]);
        let latency = BTreeMap::from([("quick", 0.005), ("slow", 0.050)]);
        simulate(&mut fleet, rate, 60.0, &latency);
        let shares = simulate(&mut fleet, rate, 6_000.0 / rate, &latency);
        assert!(
            shares.get("slow").is_none_or(|share| *share < 0.03),
            "at {rate}/s: {shares:?}"
        );
    }
}

#[test]
fn a_new_endpoint_starts_like_its_peers_and_not_as_the_cheapest() {
    let mut fleet = Fleet::new(vec![endpoint("one", "a"), endpoint("two", "a")]);
    let latency = BTreeMap::from([("one", 0.002), ("two", 0.002), ("new", 0.002)]);
    simulate(&mut fleet, 200.0, 20.0, &latency);
    fleet.update(vec![
        endpoint("one", "a"),
        endpoint("two", "a"),
        endpoint("new", "a"),
    ]);
    let first = simulate(&mut fleet, 200.0, 2.0, &latency);
    assert!((0.05..0.16).contains(&first["new"]), "{first:?}");
    simulate(&mut fleet, 200.0, 10.0, &latency);
    let later = simulate(&mut fleet, 200.0, 20.0, &latency);
    assert!((0.3..0.37).contains(&later["new"]), "{later:?}");
}

#[test]
fn two_choices_are_distinct() {
    let mut fleet = Fleet::new(vec![endpoint("idle", "a"), endpoint("busy", "a")]);
    let not_idle = Ask {
        tried: &[EndpointId::new("idle")],
        idempotent: true,
    };
    let held: Vec<_> = (0..3).map(|_| fleet.pick(&not_idle).unwrap()).collect();
    assert_eq!(held[2].endpoint().id.as_str(), "busy");
    assert_eq!(fleet.census(5_000).get("busy"), None);
}

#[test]
fn failing_fast_does_not_attract_traffic() {
    let mut fleet = Fleet::new(vec![endpoint("well", "a"), endpoint("sick", "a")]);
    for _ in 0..4 {
        fleet.wait(1.0);
        fleet.call("well", &OK);
        fleet.call("sick", &Outcome::Reset);
        fleet.call("sick", &OK);
    }
    fleet.wait(0.1);
    assert_eq!(fleet.census(1_000).get("sick"), None);
}

/// The set of a version: six instances in two zones, whose ids carry it.
fn set_of(version: u64) -> Vec<Endpoint> {
    (0..6)
        .map(|at| endpoint(&format!("{version}-{at}"), ["a", "b"][at % 2]))
        .collect()
}

/// The version of the set that this instance is in.
fn version_of(id: &EndpointId) -> u64 {
    let (version, _) = id.as_str().split_once('-').unwrap();
    version.parse().unwrap()
}

#[test]
fn readers_see_the_old_set_or_the_new_and_never_a_mix() {
    let fleet = Fleet::new(set_of(1));
    let (balancer, now, done) = (&fleet.balancer, fleet.now, AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut rng = SmallRng::seed_from_u64(3);
                while !done.load(Ordering::Relaxed) {
                    let before = balancer.version();
                    let seats = balancer.status(now);
                    let seen: Vec<u64> = seats
                        .iter()
                        .map(|seat| version_of(&seat.endpoint.id))
                        .collect();
                    assert_eq!(seen, [seen[0]; 6], "a mix");
                    let between = balancer.version();
                    let pick = balancer
                        .pick(&IDEMPOTENT, now, &mut rng)
                        .expect("there is always an endpoint");
                    let picked = version_of(&pick.endpoint().id);
                    let after = balancer.version();
                    assert!(
                        (before..=between).contains(&seen[0]),
                        "saw {} from {before} to {between}",
                        seen[0]
                    );
                    assert!(
                        (between..=after).contains(&picked),
                        "picked of {picked} from {between} to {after}"
                    );
                }
            });
        }
        for version in 2..2 + u64::from(cases::SWAPS) {
            let snapshot = Snapshot::new(version, set_of(version));
            balancer.update(&snapshot, &BTreeMap::new(), now);
        }
        done.store(true, Ordering::Relaxed);
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases::RETRIED))]

    #[test]
    fn a_retry_avoids_what_was_tried_while_there_is_another(
        count in 1_usize..12,
        tried in prop::collection::vec(0_usize..12, 0..3),
        zones in 1_usize..3,
    ) {
        let mut fleet = Fleet::new((0..count).map(|at| endpoint(&at.to_string(), ["a", "b"][at % zones])).collect());
        let tried: Vec<EndpointId> = tried.iter().map(|at| EndpointId::new(&at.to_string())).collect();
        let another = (0..count).any(|at| !tried.contains(&EndpointId::new(&at.to_string())));
        for _ in 0..20 {
            let pick = fleet.pick(&Ask { tried: &tried, idempotent: true }).unwrap();
            prop_assert_eq!(!tried.contains(&pick.endpoint().id), another);
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases::RAMPS))]

    #[test]
    fn slow_start_only_rises(pauses in prop::collection::vec(0_u64..3_000, 1..20)) {
        let mut fleet = Fleet::new(vec![endpoint("old", "a")]);
        fleet.update(vec![endpoint("old", "a"), endpoint("new", "a")]);
        let ramp = |fleet: &Fleet| fleet.balancer.status(fleet.now)[0].ramp;
        let mut last = ramp(&fleet);
        prop_assert!((last - 0.1).abs() < 1e-9);
        let mut total = 0;
        for pause in pauses {
            fleet.wait(pause as f64 / 1_000.0);
            fleet.update(vec![endpoint("old", "a"), endpoint("new", "a")]);
            total += pause;
            prop_assert!(ramp(&fleet) >= last);
            last = ramp(&fleet);
        }
        prop_assert_eq!(total >= 10_000, (last - 1.0).abs() < 1e-9);
    }
}
