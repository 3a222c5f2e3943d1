//! Series and memory are bounded, whatever strangers send and however often instances come and go.
//!
//! What a stranger makes up must be in no label; so what there is after a thousand requests of every kind is all that there will be.
//! `E2E_LONG=1`: a hundred thousand requests, a thousand instances.

mod churn;
mod count;
mod stranger;

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;

use self::churn::Churn;
use self::count::Count;
use super::system::System;

/// Every kind of request has met every service and every method by then.
const FIRST: u64 = 1_000;
/// At a time.
const TOGETHER: u64 = 50;

/// Instances at a time, and requests to the service while they are there.
const IN_A_TURN: usize = 20;
const ASKED_IN_A_TURN: usize = 40;

/// Combinations of route, method and status that strangers bring about, each of nineteen series: about sixty at the gateway, a dozen at a service; and twice that.
const MOST_AT_THE_GATEWAY: usize = 3_000;
const MOST_AT_A_SERVICE: usize = 1_000;
/// A code that came late brings two and a counter, and of zones sixteen have a series (`zone_flow.rs`); one for each of what was made up would be a hundred at least.
const MOST_LATE: usize = 32;

/// Last good answers may take 32 MiB (`kept.total_bytes`), and each made-up query of a shared route is another one; the rest is for the allocator.
const MOST_MORE_KIB: u64 = 48 * 1024;
/// Where nothing is kept.
const MOST_MORE_KIB_OF_CHURN: u64 = 16 * 1024;

fn either<T>(long: T, short: T) -> T {
    match std::env::var_os("E2E_LONG") {
        Some(_) => long,
        None => short,
    }
}

/// Sends these requests; how often each status was answered. That each was answered is part of it.
async fn strange(system: &System, requests: std::ops::Range<u64>) -> BTreeMap<u16, u64> {
    let (client, key) = (system.client(), &system.keys().load);
    let stranger = stack::Client::new(client.address());
    let mut statuses = BTreeMap::new();
    for first in requests.clone().step_by(TOGETHER as usize) {
        let group = first..requests.end.min(first + TOGETHER);
        let answers =
            group.map(|n| stranger.send(stranger::request(n, key), Duration::from_secs(20)));
        for answer in join_all(answers).await {
            *statuses.entry(answer.unwrap().status).or_default() += 1;
        }
    }
    statuses
}

fn bounded(before: &Count, after: &Count, name: &str, most_more_kib: u64) {
    println!("{name}: {before:?} then {after:?}");
    let most = match name.starts_with("gateway") {
        true => MOST_AT_THE_GATEWAY,
        false => MOST_AT_A_SERVICE,
    };
    assert!(after.series <= most, "{name}: {after:?}");
    assert!(
        after.plain <= before.plain + MOST_LATE,
        "{name} grew: {before:?} then {after:?}"
    );
    assert!(
        after.resident_kib <= before.resident_kib + most_more_kib,
        "{name} grew: {before:?} then {after:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_make_no_series_whatever_they_send() {
    // All strangers have one address here, and a limit on it would keep most of them from getting anywhere.
    let system = System::with("series", |wishes| {
        ["REQUESTS", "BURST"].iter().fold(wishes, |wishes, key| {
            let key = format!("LICTOR_LIMITS__ADDRESS__{key}");
            wishes.set_for("gateway", key, "1000000")
        })
    })
    .await;
    let first = strange(&system, 0..FIRST).await;
    let before = count::everywhere(&system).await;
    let rest = strange(&system, FIRST..either(100_000, 5_000)).await;
    let after = count::everywhere(&system).await;
    println!("answered: {first:?}, then {rest:?}");
    for (name, after) in &after {
        bounded(&before[name], after, name, MOST_MORE_KIB);
    }
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_that_come_and_go_leave_no_series_and_no_memory_behind() {
    let system = System::start("churn").await;
    let client = system.load_client();
    let mut churn = Churn::of(&system, "users");
    let ask = async || {
        let asked = (0..ASKED_IN_A_TURN).map(|_| client.get("/api/users?limit=1"));
        join_all(asked).await.into_iter().for_each(|answer| {
            answer.unwrap();
        });
    };
    // What a refused connection makes is there after the first of them.
    churn.turn(IN_A_TURN).await;
    ask().await;
    let before = count::of(system.gateway()).await;
    for _ in 1..either(1_000, 100) / IN_A_TURN {
        churn.turn(IN_A_TURN).await;
        ask().await;
    }
    let made = churn.end().await;
    ask().await;
    let after = count::of(system.gateway()).await;
    println!("{made} instances came and went");
    bounded(&before, &after, "gateway-1", MOST_MORE_KIB_OF_CHURN);
    let text = count::exposed(system.gateway()).await;
    let named: Vec<&str> = text
        .lines()
        .filter(|line| line.contains(churn::NAMED))
        .collect();
    let zones = |line: &&str| line.starts_with("lictor_zone_flow_total{");
    assert!(named.iter().all(zones), "{named:#?}");
    system.stop().await;
}
