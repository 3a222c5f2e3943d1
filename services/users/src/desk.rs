//! The operator's side, on the admin listener: which keys sign, and the next one.

use crate::Users;
use actix_web::HttpResponse;
use actix_web::web::{Data, ServiceConfig, get, post, resource};
use service::Error;
use service::admin::Token;

pub fn configure(config: &mut ServiceConfig) {
    config.service(
        resource("/signing-keys")
            .route(get().to(list))
            .route(post().to(rotate)),
    );
}

async fn list(users: Data<Users>) -> Result<HttpResponse, Error> {
    let keys = users.keys.list().await?;
    Ok(HttpResponse::Ok().json(serde_json::json!({ "keys": keys })))
}

async fn rotate(_: Token, users: Data<Users>) -> Result<HttpResponse, Error> {
    Ok(HttpResponse::Created().json(users.rotate_keys().await?))
}
