//! Taking endpoints out, and letting them back in.

use std::time::Duration;

use proptest::prelude::*;
use resilience::balancer::{Ask, NoEndpointReason, PickReason};
use resilience::breaker::State;
use resilience::classify::Outcome;
use resilience::endpoint::{Endpoint, EndpointId, Health};

use super::cases;
use super::fleet::{ERROR, Fleet, IDEMPOTENT, OK, endpoint};

fn three() -> Vec<Endpoint> {
    ["one", "two", "three"]
        .map(|name| endpoint(name, "a"))
        .to_vec()
}

fn sick(health: Health) -> Endpoint {
    Endpoint {
        health,
        ..endpoint("one", "a")
    }
}

fn state(fleet: &Fleet, name: &str) -> State {
    let id = EndpointId::new(name);
    fleet
        .balancer
        .status(fleet.now)
        .into_iter()
        .find(|seat| seat.endpoint.id == id)
        .unwrap()
        .state
}

#[test]
fn one_refused_connection_ejects_at_once() {
    let mut fleet = Fleet::new(three());
    fleet.call("one", &Outcome::ConnectRefused);
    assert_eq!(fleet.balancer.ejected(), 1);
    assert!(!fleet.census(1_000).contains_key("one"));
}

#[test]
fn at_most_half_may_fail_but_all_may_refuse() {
    let mut fleet = Fleet::new(three());
    for name in ["one", "two", "three"] {
        for _ in 0..5 {
            fleet.call(name, &ERROR);
        }
    }
    assert_eq!(fleet.balancer.ejected(), 1);
    fleet.call("two", &Outcome::ConnectRefused);
    fleet.call("three", &Outcome::ConnectRefused);
    assert_eq!(fleet.balancer.ejected(), 3);
    let nobody = fleet.pick(&IDEMPOTENT).unwrap_err();
    assert_eq!(nobody.reason, NoEndpointReason::Ejected);
    assert!(nobody.retry_after > Duration::ZERO);
}

#[test]
fn one_idempotent_request_probes_and_a_success_ends_the_ejection() {
    let mut fleet = Fleet::new(three());
    fleet.call("one", &Outcome::ConnectRefused);
    fleet.wait(1.6);
    let post = Ask {
        tried: &[],
        idempotent: false,
    };
    for _ in 0..1_000 {
        assert_ne!(fleet.pick(&post).unwrap().endpoint().id.as_str(), "one");
    }
    let mut probe = fleet.pick(&IDEMPOTENT).unwrap();
    assert!(probe.probe());
    assert_eq!(probe.endpoint().id.as_str(), "one");
    assert!(!fleet.pick(&IDEMPOTENT).unwrap().probe());
    fleet.settle(&mut probe, &OK);
    assert_eq!(fleet.balancer.ejected(), 0);
    assert!(fleet.census(3_000)["one"] > 800);
}

#[test]
fn a_probe_that_is_dropped_can_be_made_again() {
    let mut fleet = Fleet::new(three());
    fleet.call("one", &Outcome::ConnectRefused);
    fleet.wait(1.6);
    assert!(fleet.pick(&IDEMPOTENT).unwrap().probe());
    assert!(fleet.pick(&IDEMPOTENT).unwrap().probe());
}

#[test]
fn consul_seeing_it_recover_allows_a_probe_at_once() {
    let mut fleet = Fleet::new(three());
    fleet.call("one", &Outcome::ConnectRefused);
    let mut endpoints = three();
    endpoints[0] = sick(Health::Critical);
    fleet.update(endpoints);
    assert!(!fleet.pick(&IDEMPOTENT).unwrap().probe());
    fleet.update(three());
    assert!(fleet.pick(&IDEMPOTENT).unwrap().probe());
}

#[test]
fn a_lone_ejected_endpoint_may_be_probed_by_any_request() {
    let mut fleet = Fleet::new(vec![endpoint("one", "a")]);
    fleet.call("one", &Outcome::ConnectRefused);
    let post = Ask {
        tried: &[],
        idempotent: false,
    };
    assert!(fleet.pick(&post).is_err());
    fleet.wait(1.6);
    assert!(fleet.pick(&post).unwrap().probe());
}

#[test]
fn a_shrinking_service_takes_back_what_it_may_not_have_out() {
    let four = ["one", "two", "three", "four"]
        .map(|name| endpoint(name, "a"))
        .to_vec();
    let mut fleet = Fleet::new(four.clone());
    for name in ["one", "two"] {
        for _ in 0..5 {
            fleet.call(name, &ERROR);
        }
    }
    assert_eq!(fleet.balancer.ejected(), 2);
    fleet.update(
        four.into_iter()
            .filter(|endpoint| endpoint.id.as_str() != "four")
            .collect(),
    );
    assert_eq!(fleet.balancer.ejected(), 1);
}

#[test]
fn an_ineligible_endpoint_frees_its_place_in_the_limit() {
    let mut fleet = Fleet::new(three());
    for _ in 0..5 {
        fleet.call("one", &ERROR);
    }
    let mut endpoints = three();
    endpoints[0] = sick(Health::Critical);
    fleet.update(endpoints);
    for _ in 0..5 {
        fleet.call("two", &ERROR);
    }
    assert_eq!(state(&fleet, "two"), State::Open);
    fleet.update(three());
    assert_eq!(fleet.balancer.ejected(), 1);
}

#[test]
fn a_registered_again_instance_starts_closed_and_a_million_churns_leave_nothing() {
    const AT_A_TIME: u32 = 500;
    let mut fleet = Fleet::new(three());
    for round in 0..cases::CHURNS / AT_A_TIME {
        let named = |instance| endpoint(&format!("{round}-{instance}"), "a");
        fleet.update((0..AT_A_TIME).map(named).collect());
        fleet.wait(0.5);
        let mut running = fleet.pick(&IDEMPOTENT).unwrap();
        fleet.settle(&mut running, &Outcome::ConnectRefused);
        assert_eq!(fleet.balancer.ejected(), 1, "round {round}");
        let name = running.endpoint().id.to_string();
        drop(running);
        if round % 100 == 0 {
            // Gone, and back under its old name: nothing of the ejection is left.
            fleet.update(three());
            fleet.update(vec![endpoint(&name, "a")]);
            assert_eq!(state(&fleet, &name), State::Closed);
        }
    }
    fleet.update(three());
    assert_eq!(fleet.balancer.ejected(), 0);
    let seats = fleet.balancer.status(fleet.now);
    assert_eq!(seats.len(), 3);
    assert!(seats.iter().all(|seat| seat.in_flight == 0));
    for _ in 0..5 {
        fleet.call("one", &ERROR);
    }
    assert_eq!(fleet.balancer.ejected(), 1);
}

#[test]
fn an_instance_that_left_while_calls_to_it_run_holds_nothing() {
    let mut fleet = Fleet::new(three());
    let not_others = Ask {
        tried: &["two", "three"].map(EndpointId::new),
        idempotent: false,
    };
    let mut running = fleet.pick(&not_others).unwrap();
    for _ in 0..5 {
        fleet.call("one", &ERROR);
    }
    fleet.update(three()[1..].to_vec());
    assert_eq!(fleet.balancer.ejected(), 0);
    fleet.settle(&mut running, &Outcome::ConnectRefused);
    assert_eq!(fleet.balancer.ejected(), 0);
    for _ in 0..5 {
        fleet.call("two", &ERROR);
    }
    assert_eq!(state(&fleet, "two"), State::Open);
}

#[test]
fn an_overloaded_endpoint_rests_as_the_last_choice() {
    let mut fleet = Fleet::new(vec![endpoint("one", "a"), endpoint("two", "b")]);
    let busy = Outcome::Answered {
        status: 429,
        retry_after: Some(Duration::from_secs(5)),
    };
    fleet.call("one", &busy);
    assert_eq!(fleet.census(100)["two"], 100);
    fleet.wait(5.1);
    assert_eq!(fleet.census(100)["one"], 100);
}

#[test]
fn a_draining_endpoint_rests_until_the_next_update() {
    let mut fleet = Fleet::new(three());
    let until = fleet.now + Duration::from_secs(5);
    fleet.balancer.rest_draining(&EndpointId::new("one"), until);
    assert!(!fleet.census(500).contains_key("one"));
    fleet.update(three());
    assert!(fleet.census(500).contains_key("one"));
}

fn health() -> impl Strategy<Value = Health> {
    prop_oneof![
        4 => Just(Health::Passing),
        1 => Just(Health::Warning),
        3 => Just(Health::Critical),
        1 => Just(Health::Maintenance),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases::SETS))]

    #[test]
    fn panic_only_when_nobody_is_eligible_and_never_while_failing_fast(
        set in prop::collection::vec((health(), any::<bool>(), any::<bool>(), 0_usize..2), 0..8),
    ) {
        let named = |(at, (health, passed, _, zone)): (usize, &(Health, bool, bool, usize))| Endpoint {
            health: *health,
            ever_passed: *passed,
            ..endpoint(&at.to_string(), ["a", "b"][*zone])
        };
        let endpoints: Vec<Endpoint> = set.iter().enumerate().map(named).collect();
        let mut fleet = Fleet::new(endpoints.iter().map(|one| Endpoint { health: Health::Passing, ..one.clone() }).collect());
        for (at, _) in set.iter().enumerate().filter(|(_, one)| one.2) {
            fleet.call(&at.to_string(), &Outcome::ConnectRefused);
        }
        fleet.update(endpoints.clone());
        let out = |one: &Endpoint| state(&fleet, one.id.as_str()) != State::Closed;
        let eligible = endpoints.iter().filter(|one| one.eligible()).count();
        let usable = endpoints.iter().filter(|one| !out(one) && (one.eligible() || eligible == 0)).count();
        match fleet.pick(&Ask { tried: &[], idempotent: false }) {
            Ok(pick) => {
                prop_assert_eq!(pick.reason() == PickReason::Panic, eligible == 0);
                prop_assert_eq!(pick.endpoint().eligible(), eligible > 0);
            }
            Err(_) => prop_assert_eq!(usable, 0),
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases::PATHS))]

    #[test]
    fn in_flight_returns_to_zero_on_every_path(
        steps in prop::collection::vec((0_u8..7, any::<prop::sample::Index>()), 1..100),
    ) {
        let mut fleet = Fleet::new(three());
        let mut picks = Vec::new();
        for (step, at) in steps {
            match step {
                0 | 1 => picks.extend(fleet.pick(&IDEMPOTENT)),
                2 | 5 if !picks.is_empty() => {
                    let at = at.index(picks.len());
                    let outcome = if step == 2 { OK } else { Outcome::Reset };
                    fleet.settle(&mut picks[at], &outcome);
                    fleet.settle(&mut picks[at], &outcome);
                }
                3 if !picks.is_empty() => {
                    drop(picks.swap_remove(at.index(picks.len())));
                }
                4 if !picks.is_empty() => {
                    let pick = picks.swap_remove(at.index(picks.len()));
                    fleet.balancer.late_failure(&pick, fleet.now, &mut fleet.rng);
                }
                _ => {
                    let mut endpoints = three();
                    endpoints.remove(at.index(3));
                    fleet.update(endpoints);
                    fleet.update(three());
                }
            }
        }
        let held: u32 = fleet.balancer.status(fleet.now).iter().map(|seat| seat.in_flight).sum();
        prop_assert!(held as usize <= picks.len());
        picks.clear();
        prop_assert!(fleet.balancer.status(fleet.now).iter().all(|seat| seat.in_flight == 0));
    }
}
