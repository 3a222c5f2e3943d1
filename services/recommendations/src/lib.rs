//! What goes with what was ordered; popular items otherwise.
//!
//! `routes.rs` says what it answers, `recommender.rs` from what, `taste.rs` how items are chosen,
//! `orders.rs` is the one call it makes. What an item costs and whether it is in stock is not known
//! here.

mod orders;
mod recommender;
mod routes;
mod seed;
mod taste;
mod user;

use actix_web::web::{Data, ServiceConfig};
use orders::Orders;
use recommender::Recommender;
use serde::Deserialize;
use service::{App, BadValue, Context, Migrator, StartError, Store};
use taste::Taste;
use upstream::call::Client;
use utoipa::OpenApi;

/// The tables, for SQLite and PostgreSQL alike.
pub static MIGRATIONS: Migrator = sqlx::migrate!();

/// The sections of `recommendations.toml` that are its own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    recommendations: RecommendationSettings,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecommendationSettings {
    seed: bool,
    items: u8,
}

impl Settings {
    /// # Errors
    /// The first value that the types allow and the domain does not.
    pub fn check(&self) -> Result<(), BadValue> {
        match self.recommendations.items {
            0 => Err(BadValue::new(
                "recommendations.items",
                0,
                "must be at least 1",
            )),
            _ => Ok(()),
        }
    }
}

/// Opens the domain over the store and the upstream that the process was given.
///
/// # Errors
/// The store cannot be written, or the upstream is missing from the configuration.
pub async fn build(settings: Settings, context: Context) -> Result<App, StartError> {
    let orders = context.upstream("orders")?;
    let metrics = context.client_metrics.clone();
    let connect = move || Client::new(orders.clone(), metrics.clone());
    open(context.store()?.clone(), settings, connect).await
}

/// The routes over a store; `connect` runs once in each worker, and its client stays there.
///
/// # Errors
/// The store cannot be written.
pub async fn open(
    store: Store,
    settings: Settings,
    connect: impl Fn() -> Client + Send + Sync + 'static,
) -> Result<App, StartError> {
    if settings.recommendations.seed {
        seed::seed(&store).await?;
    }
    let taste = Taste::new(store);
    let routes = move |config: &mut ServiceConfig| {
        let recommender = Recommender {
            taste: taste.clone(),
            orders: Orders::new(connect()),
            count: usize::from(settings.recommendations.items),
        };
        config
            .app_data(Data::new(recommender))
            .configure(routes::configure);
    };
    Ok(App::public(routes).described(routes::Api::openapi()))
}
