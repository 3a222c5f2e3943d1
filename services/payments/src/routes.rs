//! The API: each handler is extractors, one call into the domain, a response.

use crate::payment::{Charge, Of, Payment, Reference, Stats};
use crate::till::{Charged, Till};
use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Data, ServiceConfig, get, post, resource};
use service::Error;
use service::input::{Json, Path, Query};
use utoipa::OpenApi;

type Answer = Result<HttpResponse, Error>;

/// What [`configure`] registers, as everybody may read it.
#[derive(OpenApi)]
#[openapi(paths(charge, stats, show, refund), components(schemas(Reference)))]
pub struct Api;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/payments").route(post().to(charge)))
        .service(resource("/payments/stats").route(get().to(stats)))
        .service(resource("/payments/{id}").route(get().to(show)))
        .service(resource("/payments/{id}/refund").route(post().to(refund)));
}

/// Charges for an order, once.
#[utoipa::path(
    post,
    path = "/payments",
    request_body = Charge,
    responses(
        (status = 201, description = "Charged", body = Payment, headers(("Location" = String, description = "Where it is"))),
        (status = 200, description = "What was charged for this order before", body = Payment),
        (status = 402, description = "`payment_declined`"),
        (status = 410, description = "`payment_closed`"),
        (status = 422, description = "`payment_mismatch`"),
    )
)]
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

/// All payments, added up.
#[utoipa::path(
    get,
    path = "/payments/stats",
    responses((status = 200, description = "Sums by status", body = Stats))
)]
async fn stats(till: Data<Till>) -> Answer {
    Ok(HttpResponse::Ok().json(till.stats().await?))
}

/// One payment.
#[utoipa::path(
    get,
    path = "/payments/{id}",
    params(("id" = Reference, Path, description = "A payment's id, or its order's")),
    responses(
        (status = 200, description = "The payment", body = Payment),
        (status = 404, description = "`not_found`"),
    )
)]
async fn show(till: Data<Till>, Path(reference): Path<Reference>) -> Answer {
    Ok(HttpResponse::Ok().json(till.get(&reference).await?))
}

/// Gives the money back, once.
#[utoipa::path(
    post,
    path = "/payments/{id}/refund",
    params(("id" = Reference, Path, description = "A payment's id, or its order's"), Of),
    responses(
        (status = 200, description = "The payment as it is now", body = Payment),
        (status = 404, description = "`not_found`"),
    )
)]
async fn refund(
    till: Data<Till>,
    Path(reference): Path<Reference>,
    Query(of): Query<Of>,
) -> Answer {
    Ok(HttpResponse::Ok().json(till.refund(&reference, of.attempt).await?))
}
