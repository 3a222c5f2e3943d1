//! Orders: reserve, charge, confirm, or undo.
//!
//! The richest service, because it calls two others. `routes.rs` says what it answers, `order.rs`
//! what it accepts, `status.rs` how an order lives; `desk.rs` is where orders come in, `checkout.rs`
//! the way there and back, `inventory.rs` and `payments.rs` the calls, `book.rs` and
//! `idempotency.rs` what is stored. What an item costs and what is in stock is inventory's to know.

mod book;
mod checkout;
mod clock;
mod desk;
mod idempotency;
mod inventory;
mod order;
mod payments;
mod refusal;
mod routes;
mod status;

use actix_web::web::{Data, ServiceConfig};
use book::Book;
use checkout::Checkout;
use desk::Desk;
use idempotency::Keys;
use inventory::Inventory;
use payments::Payments;
use serde::Deserialize;
use service::{App, BadValue, Context, Migrator, StartError, Store};
use std::rc::Rc;
use std::time::Duration;
use upstream::call::Client;

/// The tables, for SQLite and PostgreSQL alike.
pub static MIGRATIONS: Migrator = sqlx::migrate!();

/// How often old keys are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(600);

/// The sections of `orders.toml` that are its own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    orders: OrderSettings,
    idempotency: idempotency::Settings,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct OrderSettings {
    undo_attempts: u32,
}

impl Settings {
    /// # Errors
    /// The first value that the types allow and the domain does not.
    pub fn check(&self) -> Result<(), BadValue> {
        let positive = |key: &str, value: u32| match value {
            0 => Err(BadValue::new(key, value, "must be at least 1")),
            _ => Ok(()),
        };
        positive("orders.undo_attempts", self.orders.undo_attempts)?;
        positive("idempotency.claim_ms", self.idempotency.claim_ms)?;
        positive("idempotency.keep_ms", self.idempotency.keep_ms)
    }
}

/// The services that orders calls; clients stay on their worker.
pub struct Peers {
    pub inventory: Client,
    pub payments: Client,
}

/// Opens the domain over the store and the upstreams that the process was given.
///
/// # Errors
/// An upstream is missing from the configuration.
pub async fn build(settings: Settings, context: Context) -> Result<App, StartError> {
    let store = context.store()?.clone();
    let (inventory, payments) = (
        context.upstream("inventory")?,
        context.upstream("payments")?,
    );
    let metrics = context.client_metrics.clone();
    Ok(app(store, settings, move || Peers {
        inventory: Client::new(inventory.clone(), metrics.clone()),
        payments: Client::new(payments.clone(), metrics.clone()),
    }))
}

/// The routes over a store; `connect` runs once in each worker.
pub fn app(
    store: Store,
    settings: Settings,
    connect: impl Fn() -> Peers + Send + Sync + 'static,
) -> App {
    let book = Book::new(store.clone());
    let keys = Keys::new(store, &settings.idempotency);
    let forget = forget_old_keys(keys.clone());
    let routes = move |config: &mut ServiceConfig| {
        let peers = connect();
        let checkout = Checkout {
            book: book.clone(),
            inventory: Inventory::new(peers.inventory),
            payments: Payments::new(peers.payments),
            undo_attempts: settings.orders.undo_attempts,
        };
        let desk = Desk {
            book: book.clone(),
            keys: keys.clone(),
            checkout: Rc::new(checkout),
            wait: settings.idempotency.wait(),
        };
        config
            .app_data(Data::new(book.clone()))
            .app_data(Data::new(desk))
            .configure(routes::configure);
    };
    App::public(routes).task(forget)
}

/// Forgets old keys, for as long as the process lives.
async fn forget_old_keys(keys: Keys) {
    loop {
        match keys.forget_old().await {
            Ok(0) => {}
            Ok(forgotten) => tracing::info!(forgotten, "old idempotency keys forgotten"),
            Err(error) => tracing::warn!(%error, "old idempotency keys could not be forgotten"),
        }
        tokio::time::sleep(FORGET_EVERY).await;
    }
}
