//! The API: extractors, one call into the domain, a response.

use crate::recommender::{Recommendations, Recommender};
use crate::user::UserId;
use actix_web::HttpResponse;
use actix_web::web::{Data, ServiceConfig, get, resource};
use service::Error;
use service::input::{Deadline, Path};
use utoipa::OpenApi;

/// What [`configure`] registers, as everybody may read it.
#[derive(OpenApi)]
#[openapi(paths(recommend))]
pub struct Api;

pub fn configure(config: &mut ServiceConfig) {
    config.service(resource("/recommendations/{user_id}").route(get().to(recommend)));
}

/// What a user may like: what goes with their orders, or what is popular.
#[utoipa::path(
    get,
    path = "/recommendations/{user_id}",
    params(("user_id" = UserId, Path, description = "A user's id")),
    responses((status = 200, description = "The best first", body = Recommendations))
)]
async fn recommend(
    recommender: Data<Recommender>,
    Path(user): Path<UserId>,
    Deadline(deadline): Deadline,
) -> Result<HttpResponse, Error> {
    Ok(HttpResponse::Ok().json(recommender.recommend(user, deadline).await?))
}
