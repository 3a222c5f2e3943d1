//! What the service says of itself is what it does.

use crate::api::Shop;

#[actix_web::test]
async fn the_document_is_valid_tells_every_route_and_is_true() {
    let shop = Shop::open().await;
    let running = &shop.api().running;
    contract::hold(&running.url, &running.routes().await).await;
}
