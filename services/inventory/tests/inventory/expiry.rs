//! What is never paid comes back.

use crate::api::{Answer, Api, directory, settings, settings_with};
use futures_util::future::join_all;
use serde_json::json;
use std::time::{Duration, Instant};

/// Far more than a sweep takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(10);
const NEVER_MS: u64 = 3_600_000;

#[actix_web::test]
async fn the_sweep_gives_back_what_ran_out() {
    let directory = directory();
    let api = Api::start(&directory, settings_with(20, 10)).await;
    api.stock("A", 10).await;
    assert_eq!(api.reserve(1, &[("A", 4)]).await.status, 201);
    let until = Instant::now() + PATIENCE;
    let mut last = api.counts("A").await;
    while last != (10, 0, 10) {
        assert!(Instant::now() < until, "last seen: {last:?}");
        last = api.counts("A").await;
    }
    assert_eq!(
        api.confirm(1).await.problem(),
        (410, "reservation_expired", ""),
        "not closed: the same attempt can hold it again"
    );
}

#[actix_web::test]
async fn who_asks_again_for_what_is_held_has_the_whole_time_anew() {
    let directory = directory();
    let api = Api::start(&directory, settings_with(60_000, NEVER_MS)).await;
    api.stock("A", 10).await;
    let first = api.reserve(1, &[("A", 4)]).await;
    let ends = |answer: &Answer| answer.body["expires_at_ms"].as_i64().unwrap();
    let until = Instant::now() + PATIENCE;
    loop {
        let again = api.reserve(1, &[("A", 4)]).await;
        assert_eq!((again.status, &again.body["status"]), (200, &json!("held")));
        if ends(&again) > ends(&first) {
            break;
        }
        assert!(Instant::now() < until, "it still ends at {}", ends(&again));
    }
    assert_eq!(api.counts("A").await, (10, 4, 6), "held once");
}

/// So many orders hold a piece of A each and two of B, and their time is up.
async fn backlog(api: &Api, orders: u32) {
    let pieces = i64::from(orders);
    api.stock("A", pieces).await;
    api.stock("B", pieces * 2).await;
    for n in 0..orders {
        let made = api.reserve(n, &[("A", 1), ("B", 2)]).await;
        assert_eq!(made.status, 201, "{made:?}");
    }
    api.ran_out(orders - 1).await;
}

#[actix_web::test]
async fn all_that_ran_out_is_given_back_to_the_one_who_finds_too_little() {
    // More than two batches of a sweep.
    const ORDERS: u32 = 230;
    let directory = directory();
    let api = Api::start(&directory, settings_with(1, NEVER_MS)).await;
    let all = i64::from(ORDERS);
    backlog(&api, ORDERS).await;
    let answer = api.reserve(ORDERS, &[("A", all), ("B", 1)]).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(api.counts("A").await, (all, all, 0));
    assert_eq!(api.counts("B").await, (2 * all, 1, 2 * all - 1));
}

#[actix_web::test]
async fn whoever_finds_too_little_sweeps_no_more_than_it_takes() {
    let directory = directory();
    let api = Api::start(&directory, settings_with(1, NEVER_MS)).await;
    backlog(&api, 230).await;
    assert_eq!(api.reserve(230, &[("A", 1)]).await.status, 201);
    assert_eq!(
        api.counts("A").await,
        (230, 131, 99),
        "one batch of a hundred came back, and one piece of it is taken"
    );
}

#[actix_web::test]
async fn a_crowd_that_finds_too_little_has_all_that_ran_out_and_then_is_told_so() {
    let directory = directory();
    let before = Api::start(&directory, settings_with(1, NEVER_MS)).await;
    backlog(&before, 230).await;
    let api = Api::start(&directory, settings()).await;
    let buy = async |n: u32| api.reserve(n, &[("A", 5)]).await.status;
    let answers = join_all((1_000..1_060).map(buy)).await;
    let count = |status: u16| answers.iter().filter(|&&told| told == status).count();
    assert_eq!((count(201), count(409)), (46, 14), "{answers:?}");
    assert_eq!(api.counts("A").await, (230, 230, 0));
}

#[actix_web::test]
async fn what_ran_out_stays_where_it_is_while_there_is_enough() {
    let directory = directory();
    let api = Api::start(&directory, settings_with(1, NEVER_MS)).await;
    api.stock("A", 10).await;
    for n in 0..5 {
        assert_eq!(api.reserve(n, &[("A", 2)]).await.status, 201);
    }
    assert_eq!(
        api.counts("A").await,
        (10, 10, 0),
        "nobody had to wait for a sweep"
    );
}

#[actix_web::test]
async fn a_new_reservation_does_not_wait_for_the_sweep() {
    let directory = directory();
    let api = Api::start(&directory, settings_with(20, NEVER_MS)).await;
    api.stock("A", 1).await;
    assert_eq!(api.reserve(1, &[("A", 1)]).await.status, 201);
    let until = Instant::now() + PATIENCE;
    let mut last = api.reserve(2, &[("A", 1)]).await;
    while last.status != 201 {
        assert!(Instant::now() < until, "last seen: {last:?}");
        last = api.reserve(2, &[("A", 1)]).await;
    }
    assert_eq!(api.counts("A").await, (1, 1, 0));
}

#[actix_web::test]
async fn what_is_confirmed_never_runs_out() {
    let directory = directory();
    let api = Api::start(&directory, settings_with(200, 10)).await;
    api.stock("A", 10).await;
    api.reserve(1, &[("A", 4)]).await;
    assert_eq!(api.confirm(1).await.status, 200);
    api.reserve(2, &[("A", 1)]).await;
    // Order 2 is younger: once it has run out, order 1 would have run out too.
    let until = Instant::now() + PATIENCE;
    while api.counts("A").await.1 != 0 {
        assert!(Instant::now() < until, "order 2 never ran out");
    }
    assert_eq!(api.counts("A").await, (6, 0, 6));
}
