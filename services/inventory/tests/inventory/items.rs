//! What can be bought.

use crate::api::{Api, directory, settings};

#[actix_web::test]
async fn a_new_store_has_twenty_items_in_the_order_of_their_skus() {
    let directory = directory();
    let api = Api::start(&directory, settings()).await;
    let (mut skus, mut path) = (Vec::new(), "/inventory/items?limit=8".to_owned());
    loop {
        let page = api.get(&path).await;
        assert_eq!(page.body["total"], 20);
        let items = page.body["items"].as_array().unwrap();
        skus.extend(
            items
                .iter()
                .map(|item| item["sku"].as_str().unwrap().to_owned()),
        );
        let Some(after) = page.body["after"].as_str() else {
            break;
        };
        path = format!("/inventory/items?limit=8&after={after}");
    }
    assert_eq!(skus.len(), 20);
    assert!(skus.is_sorted());
}

#[actix_web::test]
async fn an_item_is_made_and_replaced_by_the_same_call() {
    let directory = directory();
    let api = Api::start(&directory, settings()).await;
    assert_eq!(
        api.get("/inventory/items/RING-GOLD").await.problem(),
        (404, "not_found", "")
    );
    let made = api.stock("RING-GOLD", 5).await;
    assert_eq!((made.status, &made.body["available"]), (200, &5.into()));
    assert_eq!(api.stock("RING-GOLD", 7).await.status, 200);
    assert_eq!(api.counts("RING-GOLD").await, (7, 0, 7));
}

#[actix_web::test]
async fn stock_cannot_fall_below_what_is_reserved() {
    let directory = directory();
    let api = Api::start(&directory, settings()).await;
    api.reserve(1, &[("LAMP-OIL", 3)]).await;
    assert_eq!(
        api.stock("LAMP-OIL", 2).await.problem(),
        (409, "stock_below_reserved", "stock")
    );
    assert_eq!(api.stock("LAMP-OIL", 3).await.status, 200);
    assert_eq!(api.counts("LAMP-OIL").await, (3, 3, 0));
}
