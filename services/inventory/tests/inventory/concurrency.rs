//! Nothing is sold twice, whoever asks whom at the same moment.

use crate::api::{Api, directory, settings};
use futures_util::future::join_all;

#[actix_web::test]
async fn of_fifty_buyers_of_the_last_ten_items_ten_get_one() {
    let directory = directory();
    let instances = [
        Api::start(&directory, settings()).await,
        Api::start(&directory, settings()).await,
    ];
    instances[0].stock("LAST", 10).await;
    let buy = |n: u32| instances[n as usize % 2].reserve(n, &[("LAST", 1), ("STYLUS-IRON", 1)]);
    let answers = join_all((0..50).map(buy)).await;
    let sold = answers.iter().filter(|answer| answer.status == 201).count();
    let refused = answers.iter().filter(|answer| answer.status == 409).count();
    assert_eq!((sold, refused), (10, 40));
    assert_eq!(instances[1].counts("LAST").await, (10, 10, 0));
    assert_eq!(
        instances[1].counts("STYLUS-IRON").await.1,
        10,
        "who was refused holds nothing"
    );
}

#[actix_web::test]
async fn one_order_that_is_sent_twenty_times_reserves_once() {
    let directory = directory();
    let instances = [
        Api::start(&directory, settings()).await,
        Api::start(&directory, settings()).await,
    ];
    instances[0].stock("A", 100).await;
    let answers =
        join_all((0..20).map(|turn: usize| instances[turn % 2].reserve(7, &[("A", 3)]))).await;
    assert_eq!(
        answers.iter().filter(|answer| answer.status == 201).count(),
        1
    );
    assert_eq!(
        answers.iter().filter(|answer| answer.status == 200).count(),
        19
    );
    assert_eq!(instances[0].counts("A").await, (100, 3, 97));
}

#[actix_web::test]
async fn confirming_and_releasing_at_once_ends_with_everything_counted() {
    let directory = directory();
    let instances = [
        Api::start(&directory, settings()).await,
        Api::start(&directory, settings()).await,
    ];
    instances[0].stock("A", 100).await;
    for n in 0..10 {
        instances[0].reserve(n, &[("A", 2)]).await;
    }
    let confirm = join_all((0..10).map(|n| instances[0].confirm(n)));
    let release = join_all((0..10).map(|n| instances[1].release(n)));
    let (confirmed, released) = futures_util::future::join(confirm, release).await;
    assert!(
        confirmed
            .iter()
            .all(|answer| [200, 410].contains(&answer.status))
    );
    assert!(released.iter().all(|answer| answer.status == 204));
    assert_eq!(
        instances[0].counts("A").await,
        (100, 0, 100),
        "whoever came first, all came back"
    );
}
