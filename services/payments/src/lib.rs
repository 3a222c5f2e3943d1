//! Charges and refunds, once for each order.
//!
//! `routes.rs` says what it answers, `payment.rs` what it accepts, `till.rs` what it stores. When to
//! charge and when to give back is the orders service's to decide.

mod clock;
mod payment;
mod routes;
mod till;

use actix_web::web::Data;
use serde::Deserialize;
use service::{App, BadValue, Context, Migrator, StartError, Store};
use till::Till;
use utoipa::OpenApi;

/// The tables, for SQLite and PostgreSQL alike.
pub static MIGRATIONS: Migrator = sqlx::migrate!();

/// The sections of `payments.toml` that are its own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    payments: PaymentSettings,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct PaymentSettings {
    decline_above_cents: i64,
}

impl Settings {
    /// # Errors
    /// The first value that the types allow and the domain does not.
    pub fn check(&self) -> Result<(), BadValue> {
        match self.payments.decline_above_cents {
            1.. => Ok(()),
            limit => Err(BadValue::new(
                "payments.decline_above_cents",
                limit,
                "must be at least 1",
            )),
        }
    }
}

/// Opens the domain over the store that the process was given.
///
/// # Errors
/// The process was given no store.
pub async fn build(settings: Settings, context: Context) -> Result<App, StartError> {
    Ok(app(context.store()?.clone(), &settings))
}

/// The routes over a store.
pub fn app(store: Store, settings: &Settings) -> App {
    let till = Data::new(Till::new(store, settings.payments.decline_above_cents));
    App::public(move |config| {
        config.app_data(till.clone()).configure(routes::configure);
    })
    .described(routes::Api::openapi())
}
