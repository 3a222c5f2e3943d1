//! What is never paid comes back.

use crate::api::{Api, directory, settings_with};
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
        (410, "reservation_closed", "")
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
