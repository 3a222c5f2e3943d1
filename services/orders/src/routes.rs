//! The API: each handler is extractors, one call into the domain, a response.

use crate::book::Book;
use crate::desk::{Desk, Submitted};
use crate::idempotency::Key;
use crate::order::{NewOrder, Order, OrderId, Stats, UserId};
use crate::outcome::Outcome;
use crate::status::Status;
use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::web::{Data, ServiceConfig, delete, get, post, put, resource};
use serde::Deserialize;
use service::Error;
use service::input::{Deadline, IdempotencyKey, Json, Page, Path, Query, Subject};
use service::output::Listing;
use utoipa::{OpenApi, ToSchema};

type Answer = Result<HttpResponse, Error>;

/// The body of `PUT /orders/{id}/status`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Move {
    status: Status,
}

/// Whose keys are meant when nobody is signed in.
const ANONYMOUS: &str = "anonymous";
/// Says that the answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// What [`configure`] registers, as everybody may read it.
#[derive(OpenApi)]
#[openapi(paths(list, submit, stats, of_user, show, cancel, move_on))]
pub struct Api;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(
            resource("/orders")
                .route(get().to(list))
                .route(post().to(submit)),
        )
        .service(resource("/orders/stats").route(get().to(stats)))
        .service(resource("/orders/user/{user_id}").route(get().to(of_user)))
        .service(
            resource("/orders/{id}")
                .route(get().to(show))
                .route(delete().to(cancel)),
        )
        .service(resource("/orders/{id}/status").route(put().to(move_on)));
}

/// Orders, the newest first.
#[utoipa::path(
    get,
    path = "/orders",
    params(Page),
    responses((status = 200, description = "A page of them", body = Listing<Order>))
)]
async fn list(book: Data<Book>, Query(page): Query<Page>) -> Answer {
    Ok(HttpResponse::Ok().json(book.page(&page).await?))
}

/// One user's orders, the newest first.
#[utoipa::path(
    get,
    path = "/orders/user/{user_id}",
    params(("user_id" = UserId, Path, description = "A user's id"), Page),
    responses((status = 200, description = "A page of them; empty for a user who never ordered", body = Listing<Order>))
)]
async fn of_user(book: Data<Book>, Path(user): Path<UserId>, Query(page): Query<Page>) -> Answer {
    Ok(HttpResponse::Ok().json(book.page_of(&user, &page).await?))
}

/// How many orders there are, and what they are worth.
#[utoipa::path(
    get,
    path = "/orders/stats",
    responses((status = 200, description = "Counts and cents", body = Stats))
)]
async fn stats(book: Data<Book>) -> Answer {
    Ok(HttpResponse::Ok().json(book.stats().await?))
}

/// One order.
#[utoipa::path(
    get,
    path = "/orders/{id}",
    params(("id" = OrderId, Path, description = "An order's id")),
    responses(
        (status = 200, description = "The order", body = Order),
        (status = 404, description = "`not_found`"),
    )
)]
async fn show(book: Data<Book>, Path(id): Path<OrderId>) -> Answer {
    Ok(HttpResponse::Ok().json(book.get(&id).await?))
}

/// Orders what is in a basket.
#[utoipa::path(
    post,
    path = "/orders",
    params(IdempotencyKey),
    request_body = NewOrder,
    responses(
        (status = 201, description = "Reserved and paid", body = Order, headers(("Location" = String, description = "Where it is"), ("Idempotent-Replayed" = String, description = "`true`: the answer was given before"))),
        (status = 202, description = "Taken from the last known stock: it is confirmed or cancelled later", body = Order, headers(("Location" = String, description = "Where it is"), ("Idempotent-Replayed" = String, description = "`true`: the answer was given before"))),
        (status = 402, description = "`payment_declined`"),
        (status = 409, description = "`out_of_stock`, `order_closed`, `in_progress`"),
        (status = 422, description = "`unknown_item`, `idempotency_key_reused`"),
        (status = 503, description = "`stock_unknown`, `payments_unavailable`"),
        (status = 504, description = "`deadline_exceeded`"),
    )
)]
async fn submit(
    desk: Data<Desk>,
    Subject(subject): Subject,
    IdempotencyKey(key): IdempotencyKey,
    Deadline(deadline): Deadline,
    Json(new): Json<NewOrder>,
) -> Answer {
    let subject = subject.unwrap_or_else(|| ANONYMOUS.to_owned());
    let key = key.map(|key| Key { subject, key });
    let Submitted { outcome, replayed } = desk.submit(key, new, deadline).await?;
    let told = HeaderValue::from_static("true");
    let order = match outcome {
        Outcome::Placed(order) => order,
        Outcome::Refused(refusal) if replayed => {
            return Err(Error::from(refusal).header(REPLAYED, told));
        }
        Outcome::Refused(refusal) => return Err(refusal.into()),
    };
    let mut response = match order.status {
        Status::PendingInventoryCheck => HttpResponse::Accepted(),
        _ => HttpResponse::Created(),
    };
    response.insert_header((header::LOCATION, format!("/orders/{}", order.id.as_str())));
    if replayed {
        response.insert_header((REPLAYED, told));
    }
    Ok(response.json(order))
}

/// Moves an order on: `shipped`, `completed`, or `cancelled`.
#[utoipa::path(
    put,
    path = "/orders/{id}/status",
    params(("id" = OrderId, Path, description = "An order's id")),
    request_body = Move,
    responses(
        (status = 200, description = "The order as it is now", body = Order),
        (status = 202, description = "Agreed, and being undone", body = Order),
        (status = 404, description = "`not_found`"),
        (status = 409, description = "`status_move_impossible`, `in_progress`"),
    )
)]
async fn move_on(desk: Data<Desk>, Path(id): Path<OrderId>, Json(body): Json<Move>) -> Answer {
    Ok(moved(&desk.move_to(id, body.status).await?))
}

/// Cancels an order: what is reserved is released, what is paid is given back.
#[utoipa::path(
    delete,
    path = "/orders/{id}",
    params(("id" = OrderId, Path, description = "An order's id")),
    responses(
        (status = 200, description = "The order as it is now", body = Order),
        (status = 202, description = "Agreed, and being undone", body = Order),
        (status = 404, description = "`not_found`"),
        (status = 409, description = "`status_move_impossible`, `in_progress`"),
    )
)]
async fn cancel(desk: Data<Desk>, Path(id): Path<OrderId>) -> Answer {
    Ok(moved(&desk.cancel(id).await?))
}

/// 202 for what is agreed and not yet undone.
fn moved(order: &Order) -> HttpResponse {
    match order.status {
        Status::Cancelling => HttpResponse::Accepted().json(order),
        _ => HttpResponse::Ok().json(order),
    }
}
