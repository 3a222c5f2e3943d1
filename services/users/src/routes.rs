//! The API: each handler is extractors, one call into the domain, a response.

use crate::Users;
use crate::token::SignIn;
use crate::user::{NewUser, Replacement, UserId};
use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Data, ServiceConfig, delete, get, post, put, resource};
use service::Error;
use service::input::{Json, Page, Path, Query};

type Answer = Result<HttpResponse, Error>;

/// Five minutes: the gateway asks again at once when it meets a key it does not know.
const KEYS_MAY_BE_KEPT: &str = "public, max-age=300";

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

async fn list(users: Data<Users>, Query(page): Query<Page>) -> Answer {
    Ok(HttpResponse::Ok().json(users.directory.page(&page).await?))
}

async fn create(users: Data<Users>, Json(new): Json<NewUser>) -> Answer {
    let user = users.create(new).await?;
    let location = format!("/users/{}", user.id.as_str());
    Ok(HttpResponse::Created()
        .insert_header((header::LOCATION, location))
        .json(user))
}

async fn stats(users: Data<Users>) -> Answer {
    Ok(HttpResponse::Ok().json(users.directory.stats().await?))
}

async fn show(users: Data<Users>, Path(id): Path<UserId>) -> Answer {
    Ok(HttpResponse::Ok().json(users.directory.get(&id).await?))
}

async fn replace(
    users: Data<Users>,
    Path(id): Path<UserId>,
    Json(new): Json<Replacement>,
) -> Answer {
    Ok(HttpResponse::Ok().json(users.replace(&id, new).await?))
}

async fn remove(users: Data<Users>, Path(id): Path<UserId>) -> Answer {
    users.directory.delete(&id).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn sign_in(users: Data<Users>, Json(request): Json<SignIn>) -> Answer {
    let token = users.issuer.sign_in(request).await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(token))
}

async fn keys(users: Data<Users>) -> Answer {
    let keys = users.published_keys().await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, KEYS_MAY_BE_KEPT))
        .json(keys))
}
