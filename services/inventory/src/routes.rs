//! The API: each handler is extractors, one call into the domain, a response.

use crate::audit::{Audit, Stats};
use crate::item::{Item, ItemUpdate, Sku};
use crate::ledger::{Ledger, Reserved};
use crate::reservation::{Of, OrderId, Request, Reservation};
use crate::shelf::Shelf;
use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Data, ServiceConfig, delete, get, post, put, resource};
use service::Error;
use service::input::{Json, Page, Path, Query};
use service::output::Listing;
use utoipa::OpenApi;

type Answer = Result<HttpResponse, Error>;

/// What [`configure`] registers, as everybody may read it.
#[derive(OpenApi)]
#[openapi(paths(list, show, restock, reserve, stats, reservation, release, confirm))]
pub struct Api;

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

/// Items in the order of their numbers.
#[utoipa::path(
    get,
    path = "/inventory/items",
    params(Page),
    responses((status = 200, description = "A page of them", body = Listing<Item>))
)]
async fn list(shelf: Data<Shelf>, Query(page): Query<Page>) -> Answer {
    Ok(HttpResponse::Ok().json(shelf.page(&page).await?))
}

/// One item with its stock.
#[utoipa::path(
    get,
    path = "/inventory/items/{sku}",
    params(("sku" = Sku, Path, description = "An item's number")),
    responses(
        (status = 200, description = "The item", body = Item),
        (status = 404, description = "`not_found`"),
    )
)]
async fn show(shelf: Data<Shelf>, Path(sku): Path<Sku>) -> Answer {
    Ok(HttpResponse::Ok().json(shelf.get(&sku).await?))
}

/// Makes or replaces an item.
#[utoipa::path(
    put,
    path = "/inventory/items/{sku}",
    params(("sku" = Sku, Path, description = "An item's number")),
    request_body = ItemUpdate,
    responses(
        (status = 200, description = "The item as it is now", body = Item),
        (status = 409, description = "`stock_below_reserved`"),
    )
)]
async fn restock(
    shelf: Data<Shelf>,
    Path(sku): Path<Sku>,
    Json(update): Json<ItemUpdate>,
) -> Answer {
    Ok(HttpResponse::Ok().json(shelf.put(&sku, &update).await?))
}

/// Holds what an order needs, until it is confirmed, released, or runs out.
#[utoipa::path(
    post,
    path = "/inventory/reservations",
    request_body = Request,
    responses(
        (status = 201, description = "Held", body = Reservation, headers(("Location" = String, description = "Where it is"))),
        (status = 200, description = "What this order holds already", body = Reservation),
        (status = 409, description = "`out_of_stock`"),
        (status = 410, description = "`reservation_closed`, `reservation_expired`"),
        (status = 422, description = "`unknown_item`, `reservation_mismatch`, `amount_overflow`"),
        (status = 503, description = "`reservation_in_progress`"),
    )
)]
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

/// All reservations and all stock, added up.
#[utoipa::path(
    get,
    path = "/inventory/reservations/stats",
    responses((status = 200, description = "Sums by status", body = Stats))
)]
async fn stats(audit: Data<Audit>) -> Answer {
    Ok(HttpResponse::Ok().json(audit.stats().await?))
}

/// What an order has reserved.
#[utoipa::path(
    get,
    path = "/inventory/reservations/{order_id}",
    params(("order_id" = OrderId, Path, description = "The order that it is for")),
    responses(
        (status = 200, description = "The reservation", body = Reservation),
        (status = 404, description = "`not_found`"),
    )
)]
async fn reservation(ledger: Data<Ledger>, Path(order): Path<OrderId>) -> Answer {
    Ok(HttpResponse::Ok().json(ledger.get(&order).await?))
}

/// Gives back what an order has reserved.
#[utoipa::path(
    delete,
    path = "/inventory/reservations/{order_id}",
    params(("order_id" = OrderId, Path, description = "The order that it is for"), Of),
    responses(
        (status = 204, description = "Nothing is reserved for it"),
        (status = 404, description = "`not_found`"),
        (status = 410, description = "`reservation_closed`, `reservation_expired`"),
    )
)]
async fn release(ledger: Data<Ledger>, Path(order): Path<OrderId>, Query(of): Query<Of>) -> Answer {
    ledger.release(&order, of.attempt).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Takes what an order has reserved out of the stock.
#[utoipa::path(
    post,
    path = "/inventory/reservations/{order_id}/confirm",
    params(("order_id" = OrderId, Path, description = "The order that it is for"), Of),
    responses(
        (status = 200, description = "The reservation", body = Reservation),
        (status = 404, description = "`not_found`"),
        (status = 410, description = "`reservation_closed`, `reservation_expired`"),
    )
)]
async fn confirm(ledger: Data<Ledger>, Path(order): Path<OrderId>, Query(of): Query<Of>) -> Answer {
    Ok(HttpResponse::Ok().json(ledger.confirm(&order, of.attempt).await?))
}
