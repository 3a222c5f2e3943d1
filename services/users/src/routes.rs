//! The API: each handler is extractors, one call into the domain, a response.

use crate::Users;
use crate::keys::KeySet;
use crate::token::{SignIn, Token};
use crate::user::{NewUser, Replacement, Stats, User, UserId};
use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Data, ServiceConfig, delete, get, post, put, resource};
use service::Error;
use service::input::{Json, Page, Path, Query};
use service::output::Listing;
use utoipa::OpenApi;

type Answer = Result<HttpResponse, Error>;

/// Five minutes: the gateway asks again at once when it meets a key it does not know.
const KEYS_MAY_BE_KEPT: &str = "public, max-age=300";

/// What [`configure`] registers, as everybody may read it.
#[derive(OpenApi)]
#[openapi(paths(list, create, stats, show, replace, remove, sign_in, keys))]
pub struct Api;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(
            resource("/users")
                .route(get().to(list))
                .route(post().to(create)),
        )
        .service(resource("/users/stats").route(get().to(stats)))
        .service(
            resource("/users/{id}")
                .route(get().to(show))
                .route(put().to(replace))
                .route(delete().to(remove)),
        )
        .service(resource("/auth/token").route(post().to(sign_in)))
        .service(resource("/auth/jwks").route(get().to(keys)));
}

/// Users, the oldest first.
#[utoipa::path(
    get,
    path = "/users",
    params(Page),
    responses((status = 200, description = "A page of them", body = Listing<User>))
)]
async fn list(users: Data<Users>, Query(page): Query<Page>) -> Answer {
    Ok(HttpResponse::Ok().json(users.directory.page(&page).await?))
}

/// Makes a user.
#[utoipa::path(
    post,
    path = "/users",
    request_body = NewUser,
    responses(
        (status = 201, description = "The user", body = User, headers(("Location" = String, description = "Where it is"))),
        (status = 409, description = "`email_taken`"),
    )
)]
async fn create(users: Data<Users>, Json(new): Json<NewUser>) -> Answer {
    let user = users.create(new).await?;
    let location = format!("/users/{}", user.id.as_str());
    Ok(HttpResponse::Created()
        .insert_header((header::LOCATION, location))
        .json(user))
}

/// How many users there are.
#[utoipa::path(
    get,
    path = "/users/stats",
    responses((status = 200, description = "Counts", body = Stats))
)]
async fn stats(users: Data<Users>) -> Answer {
    Ok(HttpResponse::Ok().json(users.directory.stats().await?))
}

/// One user.
#[utoipa::path(
    get,
    path = "/users/{id}",
    params(("id" = UserId, Path, description = "A user's id")),
    responses(
        (status = 200, description = "The user", body = User),
        (status = 404, description = "`not_found`"),
    )
)]
async fn show(users: Data<Users>, Path(id): Path<UserId>) -> Answer {
    Ok(HttpResponse::Ok().json(users.directory.get(&id).await?))
}

/// Replaces a user.
#[utoipa::path(
    put,
    path = "/users/{id}",
    params(("id" = UserId, Path, description = "A user's id")),
    request_body = Replacement,
    responses(
        (status = 200, description = "The user as it is now", body = User),
        (status = 404, description = "`not_found`"),
        (status = 409, description = "`email_taken`"),
    )
)]
async fn replace(
    users: Data<Users>,
    Path(id): Path<UserId>,
    Json(new): Json<Replacement>,
) -> Answer {
    Ok(HttpResponse::Ok().json(users.replace(&id, new).await?))
}

/// Removes a user.
#[utoipa::path(
    delete,
    path = "/users/{id}",
    params(("id" = UserId, Path, description = "A user's id")),
    responses(
        (status = 204, description = "The user is gone"),
        (status = 404, description = "`not_found`"),
    )
)]
async fn remove(users: Data<Users>, Path(id): Path<UserId>) -> Answer {
    users.directory.delete(&id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A token for an address and a password.
#[utoipa::path(
    post,
    path = "/auth/token",
    request_body = SignIn,
    responses(
        (status = 200, description = "The token", body = Token),
        (status = 401, description = "`invalid_credentials`"),
        (status = 503, description = "`sign_in_busy`"),
    )
)]
async fn sign_in(users: Data<Users>, Json(request): Json<SignIn>) -> Answer {
    let token = users.issuer.sign_in(request).await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(token))
}

/// The public halves of the keys that sign tokens (RFC 7517).
#[utoipa::path(
    get,
    path = "/auth/jwks",
    responses((status = 200, description = "The keys", body = KeySet))
)]
async fn keys(users: Data<Users>) -> Answer {
    let keys = users.published_keys().await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, KEYS_MAY_BE_KEPT))
        .json(keys))
}
