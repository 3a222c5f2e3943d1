//! How often: per principal and group, per address, and what the answers say of it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    rig::{OTHER, Rig, request},
    upstream::Upstream,
    wire::Wire,
};

#[test]
fn of_130_requests_at_once_with_one_key_100_are_admitted() {
    let users = Upstream::well();
    // The shipped quota, given back ten times slower: on a busy machine 130 requests take longer than one cell.
    let slower = "[limits.groups]\nusers = { requests = 100, per_ms = 600000, burst = 100 }\n";
    let rig = Arc::new(Rig::with(slower, &[("", &[users.address])]));
    let asking: Vec<_> = (0..130)
        .map(|_| {
            let address = rig.address;
            std::thread::spawn(move || {
                let mut wire = Wire::connect(address);
                wire.send(&request("GET", "/api/users", &[], b""));
                wire.answer()
            })
        })
        .collect();
    let answers: Vec<_> = asking
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect();
    let admitted = answers.iter().filter(|answer| answer.status == 200).count();
    let refused: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 429)
        .collect();
    assert_eq!((admitted, refused.len()), (100, 30));
    assert_eq!(users.count(), 100);
    for answer in refused {
        assert_eq!(answer.code(), "rate_limited");
        let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=6).contains(&wait), "{wait}");
        assert_eq!(answer.header("ratelimit-limit"), Some("100"));
        assert_eq!(answer.header("ratelimit-remaining"), Some("0"));
    }
    let other = rig.ask("GET", "/api/users", &[&format!("X-API-Key: {OTHER}")], b"");
    assert_eq!(other.status, 200, "another key is unharmed");
    assert_eq!(
        rig.get("/api/orders").status,
        200,
        "another group is unharmed"
    );
    assert_eq!(
        rig.metric(
            "lictor_rate_limit_decisions_total",
            &[("group", "users"), ("decision", "refused")]
        ),
        30.0
    );
}

#[test]
fn who_waits_as_told_is_admitted() {
    let users = Upstream::well();
    let rig = Rig::with(
        "[limits.groups]\nusers = { requests = 2, per_ms = 1000, burst = 2 }\n",
        &[("", &[users.address])],
    );
    let mut wire = rig.connect();
    let mut answers = Vec::new();
    for _ in 0..3 {
        wire.send(&request("GET", "/api/users", &[], b""));
        answers.push(wire.answer());
    }
    assert_eq!(
        answers
            .iter()
            .map(|answer| answer.status)
            .collect::<Vec<_>>(),
        [200, 200, 429]
    );
    assert_eq!(answers[1].header("ratelimit-remaining"), Some("0"));
    let wait: u64 = answers[2].header("retry-after").unwrap().parse().unwrap();
    std::thread::sleep(Duration::from_secs(wait));
    wire.send(&request("GET", "/api/users", &[], b""));
    assert_eq!(wire.answer().status, 200);
}

#[test]
fn an_address_is_charged_before_anybody_is_authenticated() {
    let users = Upstream::well();
    let rig = Rig::with(
        "[limits]\naddress = { requests = 3, per_ms = 60000, burst = 3 }\n",
        &[("", &[users.address])],
    );
    let statuses: Vec<u16> = (0..5)
        .map(|_| {
            rig.ask("GET", "/api/users", &["X-API-Key: demo.wrong"], b"")
                .status
        })
        .collect();
    assert_eq!(statuses, [401, 401, 401, 429, 429]);
}

#[test]
fn a_full_gateway_turns_the_least_important_away() {
    let slow = Upstream::playing(|turn| {
        turn.wait_at_the_gate();
        turn.write(crate::upstream::ok("{}").as_bytes());
        crate::upstream::Then::Keep
    });
    let rig = Rig::with("[edge]\nin_flight = 10\n", &[("", &[slow.address])]);
    let mut held: Vec<Wire> = (0..8).map(|_| rig.connect()).collect();
    for wire in &mut held {
        wire.send(&request("GET", "/api/users", &[], b""));
    }
    crate::wire::eventually(|| slow.count(), |count| *count == 8);
    let low = rig.get("/api/dashboard");
    assert_eq!(
        (low.status, low.code().as_str()),
        (503, "gateway_overloaded")
    );
    assert_eq!(low.header("retry-after"), Some("1"));
    assert_eq!(
        rig.get("/api/health").status,
        200,
        "the highest priority still finds a place"
    );
    slow.open_gate();
    for wire in &mut held {
        assert_eq!(wire.answer().status, 200);
    }
    assert_eq!(rig.metric("lictor_shed_total", &[("priority", "low")]), 1.0);
    crate::wire::eventually(
        || rig.metric("lictor_gateway_in_flight", &[]),
        |places| *places == 0.0,
    );
}

#[test]
fn two_gateways_share_one_quota_without_a_store() {
    let users = Upstream::well();
    let hourly = "[limits.groups]\nusers = { requests = 100, per_ms = 3600000, burst = 100 }\n";
    let two = [(); 2].map(|()| Rig::one_of(2, hourly, &[("", &[users.address])]));
    let admitted = two.each_ref().map(|rig| {
        let answers = (0..100).map(|_| rig.get("/api/users"));
        let (admitted, refused): (Vec<_>, Vec<_>) =
            answers.partition(|answer| answer.status == 200);
        for answer in &refused {
            let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=72).contains(&wait), "two cells of 36 s: {wait}");
        }
        assert_eq!(admitted[0].header("ratelimit-limit"), Some("100"));
        assert_eq!(admitted[0].header("ratelimit-remaining"), Some("98"));
        admitted.len()
    });
    assert_eq!(admitted, [50, 50], "of one quota of 100");
    assert_eq!(users.count(), 100);
}

#[test]
fn what_is_turned_away_is_charged_to_nobody_and_verified_by_nobody() {
    let slow = Upstream::playing(|turn| {
        turn.wait_at_the_gate();
        turn.write(crate::upstream::ok("{}").as_bytes());
        crate::upstream::Then::Keep
    });
    let rig = Rig::with("[edge]\nin_flight = 1\n", &[("", &[slow.address])]);
    let mut held = rig.connect();
    held.send(&request("GET", "/api/users", &[], b""));
    crate::wire::eventually(|| slow.count(), |count| *count == 1);
    let charged = || {
        rig.metric(
            "lictor_rate_limit_decisions_total",
            &[("group", "users"), ("decision", "admitted")],
        )
    };
    for key in ["X-API-Key: demo.wrong", "x-other: 1"] {
        let refused = rig.ask("GET", "/api/users", &[key], b"");
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (503, "gateway_overloaded")
        );
    }
    assert_eq!(charged(), 1.0);
    slow.open_gate();
    assert_eq!(held.answer().status, 200);
    assert_eq!(
        rig.ask("GET", "/api/users", &["X-API-Key: demo.wrong"], b"")
            .status,
        401
    );
}

#[test]
fn a_flood_is_admitted_at_the_rate_and_its_burst_to_the_request() {
    let users = Upstream::well();
    let rig = Rig::with(
        "[limits.groups]\nusers = { requests = 100, per_ms = 1000, burst = 20 }\n",
        &[("", &[users.address])],
    );
    let began = Instant::now();
    let until = began + Duration::from_secs(3);
    let flooding: Vec<_> = (0..4)
        .map(|_| {
            let mut wire = rig.connect();
            std::thread::spawn(move || {
                let (mut admitted, mut asked) = (0, 0);
                while Instant::now() < until {
                    wire.send(&request("GET", "/api/users", &[], b""));
                    admitted += u32::from(wire.answer().status == 200);
                    asked += 1;
                }
                (admitted, asked)
            })
        })
        .collect();
    let flooded = flooding.into_iter().map(|thread| thread.join().unwrap());
    let (admitted, asked) = flooded.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let took = began.elapsed().as_secs_f64();
    println!("{admitted} of {asked} admitted in {took:.3} s");
    assert!(
        f64::from(admitted) <= 20.0 + 100.0 * took,
        "{admitted} in {took}"
    );
    assert!(
        admitted >= 310,
        "{admitted} of {asked} in {took}: 320 were due"
    );
}
