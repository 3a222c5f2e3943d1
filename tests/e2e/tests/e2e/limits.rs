//! The quota of a key: exactly what was promised, and nobody else pays for it.

use crate::stage::play;
use futures_util::future::join_all;
use std::time::Duration;
use tokio::time::sleep;

#[tokio::test]
async fn a_hundred_of_130_requests_at_once_are_admitted_and_the_rest_are_told_when_to_come_back() {
    play(|stack| async move {
        let client = stack.client();
        // Connections first, so that the burst is a burst.
        join_all((0..130).map(|_| client.get("/api/no-such-route"))).await;
        let answers = join_all((0..130).map(|_| client.get("/api/users"))).await;
        let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        let admitted = answers.iter().filter(|answer| answer.status == 200).count();
        let refused: Vec<_> = answers
            .iter()
            .filter(|answer| answer.status == 429)
            .collect();
        println!("admitted {admitted}, refused {}", refused.len());
        assert_eq!((admitted, refused.len()), (100, 30));
        let mut longest = 0;
        for answer in &refused {
            let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=60).contains(&wait), "{wait}");
            assert_eq!(answer.json()["code"], "rate_limited");
            longest = longest.max(wait);
        }
        let other = stack.load_client().get("/api/users").await.unwrap();
        assert_eq!(other.status, 200, "another key is unharmed");

        sleep(Duration::from_secs(longest)).await;
        assert_eq!(
            client.get("/api/users").await.unwrap().status,
            200,
            "who waits as told is admitted"
        );
    })
    .await;
}
