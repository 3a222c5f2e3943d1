//! The API: extractors, one call into the domain, a response.

use crate::recommender::Recommender;
use crate::user::UserId;
use actix_web::HttpResponse;
use actix_web::web::{Data, ServiceConfig, get, resource};
use service::Error;
use service::input::{Deadline, Path};

pub fn configure(config: &mut ServiceConfig) {
    config.service(resource("/recommendations/{user_id}").route(get().to(recommend)));
}

async fn recommend(
    recommender: Data<Recommender>,
    Path(user): Path<UserId>,
    Deadline(deadline): Deadline,
) -> Result<HttpResponse, Error> {
    Ok(HttpResponse::Ok().json(recommender.recommend(user, deadline).await?))
}
