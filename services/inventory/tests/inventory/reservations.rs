//! One order, one reservation: held, confirmed, released.

use crate::api::{Api, directory, order, settings};

#[actix_web::test]
async fn what_is_reserved_has_prices_and_a_sum_and_is_not_available_any_more() {
    let directory = directory();
    let api = Api::start(&directory, settings()).await;
    api.stock("A", 10).await;
    let held = api.reserve(1, &[("STYLUS-IRON", 2), ("A", 4)]).await;
    assert_eq!((held.status, &held.body["status"]), (201, &"held".into()));
    assert_eq!(held.body["items"][0]["sku"], "A");
    assert_eq!(held.body["items"][1]["unit_price_cents"], 590);
    assert_eq!(held.body["total_cents"], 4 * 250 + 2 * 590);
    assert_eq!(api.counts("A").await, (10, 4, 6));
}

#[actix_web::test]
async fn asking_again_is_asking_for_the_same() {
    let directory = directory();
    let api = Api::start(&directory, settings()).await;
    api.stock("A", 10).await;
    let first = api.reserve(1, &[("A", 4)]).await;
    let again = api.reserve(1, &[("A", 4)]).await;
    // The same but for its end: who asks again has the whole time anew.
    let mut expected = first.body.clone();
    expected["expires_at_ms"] = again.body["expires_at_ms"].clone();
    assert_eq!((again.status, &again.body), (200, &expected));
    assert_eq!(
        api.reserve(1, &[("A", 5)]).await.problem(),
        (422, "reservation_mismatch", "items")
    );
    assert_eq!(api.counts("A").await, (10, 4, 6));
}

#[actix_web::test]
async fn all_lines_or_none() {
    let directory = directory();
    let api = Api::start(&directory, settings()).await;
    api.stock("A", 10).await;
    api.stock("B", 1).await;
    assert_eq!(
        api.reserve(1, &[("A", 4), ("B", 2)]).await.problem(),
        (409, "out_of_stock", "items")
    );
    assert_eq!(
        api.reserve(2, &[("A", 4), ("NO-SUCH", 1)]).await.problem(),
        (422, "unknown_item", "items")
    );
    assert_eq!(api.counts("A").await, (10, 0, 10));
    assert_eq!(
        api.get(&format!("/inventory/reservations/{}", order(1)))
            .await
            .status,
        404
    );
    assert_eq!(
        api.reserve(1, &[("A", 4), ("B", 1)]).await.status,
        201,
        "a refused order may ask again"
    );
}

#[actix_web::test]
async fn a_confirmed_reservation_leaves_the_house_once() {
    let directory = directory();
    let api = Api::start(&directory, settings()).await;
    api.stock("A", 10).await;
    assert_eq!(api.confirm(1).await.problem(), (404, "not_found", ""));
    api.reserve(1, &[("A", 4)]).await;
    for _ in 0..2 {
        let confirmed = api.confirm(1).await;
        assert_eq!(
            (confirmed.status, &confirmed.body["status"]),
            (200, &"confirmed".into())
        );
        assert_eq!(api.counts("A").await, (6, 0, 6));
    }
}

#[actix_web::test]
async fn a_release_gives_back_once_what_was_held_or_confirmed() {
    let directory = directory();
    let api = Api::start(&directory, settings()).await;
    api.stock("A", 10).await;
    api.reserve(1, &[("A", 4)]).await;
    api.reserve(2, &[("A", 3)]).await;
    api.confirm(2).await;
    assert_eq!(api.counts("A").await, (7, 4, 3));
    for n in [1, 2, 1, 2] {
        assert_eq!(api.release(n).await.status, 204);
    }
    assert_eq!(api.counts("A").await, (10, 0, 10));
    assert_eq!(
        api.confirm(1).await.problem(),
        (410, "reservation_closed", "")
    );
    assert_eq!(
        api.reserve(1, &[("A", 4)]).await.problem(),
        (410, "reservation_closed", "")
    );
}

#[actix_web::test]
async fn a_request_that_arrives_after_its_release_is_refused() {
    let directory = directory();
    let api = Api::start(&directory, settings()).await;
    api.stock("A", 10).await;
    assert_eq!(api.release(1).await.status, 204);
    assert_eq!(
        api.reserve(1, &[("A", 4)]).await.problem(),
        (410, "reservation_closed", "")
    );
    assert_eq!(api.counts("A").await, (10, 0, 10));
}
