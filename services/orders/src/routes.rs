//! The API: each handler is extractors, one call into the domain, a response.

use crate::book::Book;
use crate::desk::{Desk, Submitted};
use crate::idempotency::Key;
use crate::order::{NewOrder, Order, OrderId, UserId};
use crate::outcome::Outcome;
use crate::status::Status;
use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::web::{Data, ServiceConfig, delete, get, post, put, resource};
use serde::Deserialize;
use service::Error;
use service::input::{Deadline, IdempotencyKey, Json, Page, Path, Query, Subject};

type Answer = Result<HttpResponse, Error>;

/// The body of `PUT /orders/{id}/status`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Move {
    status: Status,
}

/// Whose keys are meant when nobody is signed in.
const ANONYMOUS: &str = "anonymous";
/// Says that the answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

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

async fn list(book: Data<Book>, Query(page): Query<Page>) -> Answer {
    Ok(HttpResponse::Ok().json(book.page(&page).await?))
}

async fn of_user(book: Data<Book>, Path(user): Path<UserId>, Query(page): Query<Page>) -> Answer {
    Ok(HttpResponse::Ok().json(book.page_of(&user, &page).await?))
}

async fn stats(book: Data<Book>) -> Answer {
    Ok(HttpResponse::Ok().json(book.stats().await?))
}

async fn show(book: Data<Book>, Path(id): Path<OrderId>) -> Answer {
    Ok(HttpResponse::Ok().json(book.get(&id).await?))
}

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

async fn move_on(desk: Data<Desk>, Path(id): Path<OrderId>, Json(body): Json<Move>) -> Answer {
    Ok(moved(&desk.move_to(id, body.status).await?))
}

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
