//! The API: each handler is extractors, one call into the domain, a response.

use crate::audit::Audit;
use crate::item::{ItemUpdate, Sku};
use crate::ledger::{Ledger, Reserved};
use crate::reservation::{Of, OrderId, Request};
use crate::shelf::Shelf;
use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Data, ServiceConfig, delete, get, post, put, resource};
use service::Error;
use service::input::{Json, Page, Path, Query};

type Answer = Result<HttpResponse, Error>;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/inventory/items").route(get().to(list)))
        .service(
            resource("/inventory/items/{sku}")
                .route(get().to(show))
                .route(put().to(restock)),
        )
        .service(resource("/inventory/reservations").route(post().to(reserve)))
        .service(resource("/inventory/reservations/stats").route(get().to(stats)))
        .service(
            resource("/inventory/reservations/{order_id}")
                .route(get().to(reservation))
                .route(delete().to(release)),
        )
        .service(resource("/inventory/reservations/{order_id}/confirm").route(post().to(confirm)));
}

async fn list(shelf: Data<Shelf>, Query(page): Query<Page>) -> Answer {
    Ok(HttpResponse::Ok().json(shelf.page(&page).await?))
}

async fn show(shelf: Data<Shelf>, Path(sku): Path<Sku>) -> Answer {
    Ok(HttpResponse::Ok().json(shelf.get(&sku).await?))
}

async fn restock(
    shelf: Data<Shelf>,
    Path(sku): Path<Sku>,
    Json(update): Json<ItemUpdate>,
) -> Answer {
    Ok(HttpResponse::Ok().json(shelf.put(&sku, &update).await?))
}

async fn reserve(ledger: Data<Ledger>, Json(request): Json<Request>) -> Answer {
    Ok(match ledger.reserve(&request).await? {
        Reserved::New(made) => {
            let location = format!("/inventory/reservations/{}", made.order_id.as_str());
            HttpResponse::Created()
                .insert_header((header::LOCATION, location))
                .json(made)
        }
        Reserved::Known(known) => HttpResponse::Ok().json(known),
    })
}

async fn stats(audit: Data<Audit>) -> Answer {
    Ok(HttpResponse::Ok().json(audit.stats().await?))
}

async fn reservation(ledger: Data<Ledger>, Path(order): Path<OrderId>) -> Answer {
    Ok(HttpResponse::Ok().json(ledger.get(&order).await?))
}

async fn release(ledger: Data<Ledger>, Path(order): Path<OrderId>, Query(of): Query<Of>) -> Answer {
    ledger.release(&order, of.attempt).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn confirm(ledger: Data<Ledger>, Path(order): Path<OrderId>, Query(of): Query<Of>) -> Answer {
    Ok(HttpResponse::Ok().json(ledger.confirm(&order, of.attempt).await?))
}
