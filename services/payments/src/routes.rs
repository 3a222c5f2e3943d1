//! The API: each handler is extractors, one call into the domain, a response.

use crate::payment::{Charge, Of, Reference};
use crate::till::{Charged, Till};
use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Data, ServiceConfig, get, post, resource};
use service::Error;
use service::input::{Json, Path, Query};

type Answer = Result<HttpResponse, Error>;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/payments").route(post().to(charge)))
        .service(resource("/payments/stats").route(get().to(stats)))
        .service(resource("/payments/{id}").route(get().to(show)))
        .service(resource("/payments/{id}/refund").route(post().to(refund)));
}

async fn charge(till: Data<Till>, Json(charge): Json<Charge>) -> Answer {
    Ok(match till.charge(&charge).await? {
        Charged::Now(payment) => {
            let location = format!("/payments/{}", payment.id);
            HttpResponse::Created()
                .insert_header((header::LOCATION, location))
                .json(payment)
        }
        Charged::Before(payment) => HttpResponse::Ok().json(payment),
    })
}

async fn stats(till: Data<Till>) -> Answer {
    Ok(HttpResponse::Ok().json(till.stats().await?))
}

async fn show(till: Data<Till>, Path(reference): Path<Reference>) -> Answer {
    Ok(HttpResponse::Ok().json(till.get(&reference).await?))
}

async fn refund(
    till: Data<Till>,
    Path(reference): Path<Reference>,
    Query(of): Query<Of>,
) -> Answer {
    Ok(HttpResponse::Ok().json(till.refund(&reference, of.attempt).await?))
}
