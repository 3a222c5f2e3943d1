//! Whatever the agent does, the watch asks within its bucket: two at once, and one a second.

use std::cell::Cell;
use std::time::{Duration, Instant};

use consul::watch;

use crate::scripted::{Reply, Scripted, answer, instance, status};
use crate::{agent_at, eventually, metrics};

const OBSERVED: Duration = Duration::from_secs(5);

async fn stays_within_the_bucket(reply: impl Fn() -> Reply + 'static) {
    let (_, metrics) = metrics();
    let scripted = Scripted::start([]).await;
    scripted.always(reply);
    let start = Instant::now();
    let _view = watch::spawn(&agent_at(&scripted.address), "users", &metrics);
    eventually("the time of observation is over", OBSERVED * 2, || async {
        start.elapsed() > OBSERVED
    })
    .await;
    let times = scripted.times();
    assert!(times.len() >= 3, "it goes on asking");
    for (i, from) in times.iter().enumerate() {
        for (count, to) in times[i..].iter().enumerate() {
            // A tenth for the way from the bucket to the socket.
            let allowed = 2.1 + (*to - *from).as_secs_f64();
            assert!(
                (count + 1) as f64 <= allowed,
                "{} requests in {:?}",
                count + 1,
                *to - *from
            );
        }
    }
}

#[actix_web::test]
async fn a_thousand_changes_a_second_are_read_once_a_second() {
    let index = Cell::new(0);
    stays_within_the_bucket(move || {
        index.set(index.get() + 1_000);
        answer(index.get(), &[instance("a", 1)])
    })
    .await;
}

#[actix_web::test]
async fn errors_without_end_stay_within_the_bucket() {
    stays_within_the_bucket(|| status(500)).await;
}

#[actix_web::test]
async fn an_index_that_never_settles_stays_within_the_bucket() {
    let turn = Cell::new(0);
    stays_within_the_bucket(move || {
        turn.set(turn.get() + 1);
        match turn.get() % 3 {
            0 => answer(5, &[instance("a", 1)]),
            1 => answer(3, &[]),
            _ => Reply::Raw(Vec::new()),
        }
    })
    .await;
}
