//! Items, stock and reservations.
//!
//! `routes.rs` says what it answers, `item.rs` and `reservation.rs` what it accepts, `shelf.rs` and
//! `ledger.rs` what it stores, `sweep.rs` gives back what ran out, `pieces.rs` is why nothing can be sold twice, whatever the number of
//! instances, `audit.rs` adds it all up. What an order is worth, who pays and when to give up are not known here.

mod audit;
mod clock;
mod item;
mod ledger;
mod pieces;
mod reservation;
mod routes;
mod seed;
mod shelf;
mod sweep;

use actix_web::web::{Data, ServiceConfig};
use audit::Audit;
use ledger::Ledger;
use serde::Deserialize;
use service::{App, BadValue, Context, Migrator, StartError, Store};
use shelf::Shelf;
use std::time::Duration;
use sweep::Sweep;
use utoipa::OpenApi;

/// The tables, for SQLite and PostgreSQL alike.
pub static MIGRATIONS: Migrator = sqlx::migrate!();

/// The sections of `inventory.toml` that are its own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    inventory: InventorySettings,
    reservations: ReservationSettings,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct InventorySettings {
    seed: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReservationSettings {
    ttl_ms: u64,
    sweep_ms: u64,
}

impl Settings {
    /// # Errors
    /// The first value that the types allow and the domain does not.
    pub fn check(&self) -> Result<(), BadValue> {
        let positive = |key: &str, value: u64| match value {
            0 => Err(BadValue::new(key, value, "must be at least 1")),
            _ => Ok(()),
        };
        positive("reservations.ttl_ms", self.reservations.ttl_ms)?;
        positive("reservations.sweep_ms", self.reservations.sweep_ms)
    }
}

/// Opens the domain over the store that the process was given.
///
/// # Errors
/// The store cannot be written.
pub async fn build(settings: Settings, context: Context) -> Result<App, StartError> {
    open(context.store()?.clone(), settings).await
}

/// The routes over a store, and the sweep beside them.
///
/// # Errors
/// The store cannot be written.
pub async fn open(store: Store, settings: Settings) -> Result<App, StartError> {
    if settings.inventory.seed {
        seed::seed(&store).await?;
    }
    let audit = Data::new(Audit::new(store.clone()));
    let shelf = Data::new(Shelf::new(store.clone()));
    let sweep = Sweep::new(store.clone());
    let ledger = Data::new(Ledger::new(
        store,
        sweep.clone(),
        Duration::from_millis(settings.reservations.ttl_ms),
    ));
    let pause = Duration::from_millis(settings.reservations.sweep_ms);
    let routes = move |config: &mut ServiceConfig| {
        config
            .app_data(shelf.clone())
            .app_data(ledger.clone())
            .app_data(audit.clone())
            .configure(routes::configure);
    };
    Ok(App::public(routes)
        .described(routes::Api::openapi())
        .task(sweep.run(pause)))
}
