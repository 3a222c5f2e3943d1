//! One key's hurry is not another key's wait.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::system::{System, ok};

/// `limits.groups.users` as it is shipped: a hundred a minute.
const CELL: Duration = Duration::from_millis(600);

#[tokio::test(flavor = "multi_thread")]
async fn of_130_requests_at_once_100_are_admitted_and_the_rest_are_told_when_to_come_back() {
    let system = System::start("limits").await;
    let client = system.client();
    let begin = Instant::now();
    let answers = join_all((0..130).map(|_| client.get("/api/users?limit=1"))).await;
    let took = begin.elapsed();
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    let count = |status| {
        answers
            .iter()
            .filter(|answer| answer.status == status)
            .count()
    };
    let others = answers
        .iter()
        .find(|answer| ![200, 429].contains(&answer.status))
        .map(|answer| answer.text());
    assert_eq!(others, None);
    // Cells come back while a slow machine is still asking.
    let most = 100 + usize::try_from(took.as_millis() / CELL.as_millis()).unwrap();
    assert!(
        (100..=most).contains(&count(200)),
        "{} admitted, {} refused in {took:?}",
        count(200),
        count(429)
    );

    let refused = answers.iter().find(|answer| answer.status == 429).unwrap();
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert_eq!(
        refused.header("content-type"),
        Some("application/problem+json")
    );
    assert!(
        refused.header("ratelimit-limit").is_some() || refused.header("ratelimit").is_some(),
        "{:?}",
        refused.headers
    );

    ok(system.load_client().get("/api/users?limit=1").await);

    let told = Instant::now() + Duration::from_secs(wait);
    let admitted = stack::wait::until(
        "the time that was told",
        Duration::from_secs(wait + 5),
        || async {
            if Instant::now() < told {
                Err("not yet".to_owned())
            } else {
                Ok(client.get("/api/users?limit=1").await)
            }
        },
    );
    ok(admitted.await.unwrap());
    system.stop().await;
}
