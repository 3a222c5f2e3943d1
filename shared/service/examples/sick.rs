//! A whole service of a few lines, to be broken on purpose: the tests start it and set faults.
#![allow(clippy::unwrap_used, reason = "a stand-in for tests")]

use actix_web::web::{Data, get, resource};
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use service::input::Deadline;
use service::{App, Context, Error, Migrator, Spec, StartError, Store};
use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType};
use std::borrow::Cow;
use std::time::Instant;

#[derive(Deserialize)]
struct Nothing {}

fn main() -> std::process::ExitCode {
    service::run(Spec {
        name: "sick",
        version: "0.0.0",
        defaults: "",
        migrations: Some(migrations()),
        check: |_: &Nothing, _| Ok(()),
        build,
    })
}

fn migrations() -> &'static Migrator {
    let table = "CREATE TABLE notes (text TEXT NOT NULL)".into_sql_str();
    let first = Migration::new(1, "notes".into(), MigrationType::Simple, table, false);
    let mut migrator = Migrator::DEFAULT;
    migrator.migrations = Cow::Owned(vec![first]);
    Box::leak(Box::new(migrator))
}

async fn build(_: Nothing, context: Context) -> Result<App, StartError> {
    let store = context.store()?.clone();
    Ok(App::public(move |config| {
        config
            .app_data(Data::new(store.clone()))
            .route("/ping", get().to(|| async { "pong" }))
            .route("/left", get().to(left))
            .service(
                resource("/notes")
                    .route(get().to(count))
                    .route(web::post().to(add))
                    .route(web::put().to(add_alone)),
            );
    }))
}

/// What this hop would hand on to the next.
async fn left(deadline: Deadline) -> HttpResponse {
    HttpResponse::Ok().json(deadline.0.hand_on(Instant::now()))
}

async fn count(store: Data<Store>) -> Result<HttpResponse, Error> {
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM notes")
        .fetch_one(store.pool())
        .await?;
    Ok(HttpResponse::Ok().json(count))
}

/// Reads and writes in one transaction.
async fn add(store: Data<Store>) -> Result<HttpResponse, Error> {
    let mut write = store.write().await?;
    sqlx::query("INSERT INTO notes VALUES ($1)")
        .bind("a note")
        .execute(&mut *write)
        .await?;
    write.commit().await?;
    Ok(HttpResponse::Created().finish())
}

/// Writes by a statement alone.
async fn add_alone(store: Data<Store>) -> Result<HttpResponse, Error> {
    sqlx::query("INSERT INTO notes VALUES ($1)")
        .bind("a note")
        .execute(store.pool())
        .await?;
    Ok(HttpResponse::Created().finish())
}
