//! Faults through the admin listener: `GET`, `POST` and `DELETE /faults`, `DELETE /faults/{id}`.

use super::{Faults, Written};
use crate::admin::Token;
use crate::{Error, input};
use actix_web::HttpResponse;
use actix_web::web::{self, Data, ServiceConfig};
use serde_json::json;
use std::time::SystemTime;

type Answer = Result<HttpResponse, Error>;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(
            web::resource("/faults")
                .route(web::get().to(list))
                .route(web::post().to(add))
                .route(web::delete().to(clear)),
        )
        .service(web::resource("/faults/{id}").route(web::delete().to(remove)));
}

async fn list(faults: Data<Faults>) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "enabled": faults.enabled(), "items": faults.list() }))
}

async fn add(_: Token, faults: Data<Faults>, input::Json(written): input::Json<Written>) -> Answer {
    let fault = written.check(SystemTime::now())?;
    Ok(HttpResponse::Created().json(faults.add(fault)?))
}

async fn clear(_: Token, faults: Data<Faults>) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "cleared": faults.clear() }))
}

async fn remove(_: Token, faults: Data<Faults>, id: input::Path<String>) -> Answer {
    if faults.remove(&id.0) {
        return Ok(HttpResponse::NoContent().finish());
    }
    Err(Error::not_found("fault", &id.0))
}
