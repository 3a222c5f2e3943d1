//! What the service says of itself is what it does.

use crate::api::{Api, directory};

#[actix_web::test]
async fn the_document_is_valid_tells_every_route_and_is_true() {
    let directory = directory();
    let api = Api::start(&directory).await;
    contract::hold(&api.running.url, &api.running.routes().await).await;
}
