//! Orders: reserve, charge, confirm, or undo; and what to do when one of them does not answer.
//!
//! The richest service, because it calls two others. `routes.rs` says what it answers, `order.rs`
//! what it accepts, `status.rs` how an order lives; `desk.rs` is where orders come in, `checkout.rs`
//! the way there and back, `reconciler.rs` goes on with what was left on it. `claim.rs` says who may
//! work on an order, `keep.rs` for how long, `settle.rs` what becomes of it, `stock.rs` what was last known of inventory.
//! What an item costs and what is in stock is inventory's to know.

mod routes;

// What an order is.
mod order;
mod outcome;
mod refusal;
mod status;

// Where it comes in, and its way.
mod checkout;
mod desk;
mod idempotency;

mod reconciler;

// Whom it is ordered from.
mod inventory;
mod pace;
mod payments;

mod refresh;

// What is stored.
mod book;
mod claim;
mod keep;
mod settle;
mod stock;

mod clock;
mod metrics;

use actix_web::web::{Data, ServiceConfig};
use book::Book;
use checkout::Checkout;
use claim::Claims;
use desk::Desk;
use idempotency::Keys;
use inventory::Inventory;
use payments::Payments;
use reconciler::Reconciler;
use refresh::Refresh;
use serde::Deserialize;
use service::{App, BadValue, Context, Migrator, StartError, Store};
use std::rc::Rc;
use std::time::Duration;
use stock::KnownStock;
use upstream::call::Client;
use utoipa::OpenApi;

pub use metrics::Metrics;

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
    stock: refresh::Settings,
    reconciler: reconciler::Settings,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct OrderSettings {
    claim_ms: u32,
}

impl Settings {
    /// # Errors
    /// The first value that the types allow and the domain does not.
    pub fn check(&self) -> Result<(), BadValue> {
        let positive = |key: &str, value: u32| match value {
            0 => Err(BadValue::new(key, value, "must be at least 1")),
            _ => Ok(()),
        };
        positive("orders.claim_ms", self.orders.claim_ms)?;
        positive("idempotency.keep_ms", self.idempotency.keep_ms)?;
        positive("stock.refresh_ms", self.stock.refresh_ms)?;
        positive("stock.most_items", self.stock.most_items)?;
        positive("stock.keep_ms", self.stock.keep_ms)?;
        self.reconciler.check()
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
    let metrics = Metrics::register(&context.registry)?;
    let calls = context.client_metrics.clone();
    Ok(app(store, settings, metrics, move || Peers {
        inventory: Client::new(inventory.clone(), calls.clone()),
        payments: Client::new(payments.clone(), calls.clone()),
    }))
}

/// The routes over a store, and the work beside them; `connect` runs once in each worker, and once
/// for that work.
pub fn app(
    store: Store,
    settings: Settings,
    metrics: Metrics,
    connect: impl Fn() -> Peers + Send + Sync + 'static,
) -> App {
    let shop = Shop::new(store, settings);
    let forget = forget_old_keys(shop.keys.clone());
    let reconcile = shop.reconciler(connect(), metrics.clone()).run();
    let refresh = shop.refresh(connect().inventory, metrics).run();
    let routes = move |config: &mut ServiceConfig| {
        config
            .app_data(Data::new(shop.book.clone()))
            .app_data(Data::new(shop.desk(connect())))
            .configure(routes::configure);
    };
    App::public(routes)
        .described(routes::Api::openapi())
        .task(forget)
        .task(reconcile)
        .task(refresh)
}

/// What all workers share.
struct Shop {
    store: Store,
    settings: Settings,
    book: Book,
    keys: Keys,
    claims: Claims,
}

impl Shop {
    fn new(store: Store, settings: Settings) -> Self {
        Self {
            book: Book::new(store.clone()),
            keys: Keys::new(store.clone(), &settings.idempotency),
            claims: Claims {
                store: store.clone(),
                claim_ms: i64::from(settings.orders.claim_ms),
                stock_keep_ms: i64::from(settings.stock.keep_ms),
            },
            store,
            settings,
        }
    }

    fn checkout(&self, peers: Peers) -> Checkout {
        Checkout {
            book: self.book.clone(),
            claims: self.claims.clone(),
            inventory: Inventory::new(peers.inventory),
            payments: Payments::new(peers.payments),
        }
    }

    fn desk(&self, peers: Peers) -> Desk {
        Desk {
            book: self.book.clone(),
            keys: self.keys.clone(),
            claims: self.claims.clone(),
            checkout: Rc::new(self.checkout(peers)),
            wait: self.settings.idempotency.wait(),
        }
    }

    fn reconciler(&self, peers: Peers, metrics: Metrics) -> Reconciler {
        Reconciler {
            claims: self.claims.clone(),
            checkout: self.checkout(peers),
            settings: self.settings.reconciler.clone(),
            metrics,
        }
    }

    fn refresh(&self, inventory: Client, metrics: Metrics) -> Refresh {
        Refresh {
            stock: KnownStock::new(self.store.clone()),
            inventory: Inventory::new(inventory),
            settings: self.settings.stock.clone(),
            metrics,
        }
    }
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
