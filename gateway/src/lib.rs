//! The gateway: one door in front of all services. It finds healthy instances and keeps traffic flowing when some fail.
//!
//! It is a process like every other one of this house: configuration, listeners, telemetry, registration and drain come from `service`.
//! What is its own is below, in the order in which a request meets it; `proxy.rs` is that order as one function, and the README tells it as a story.

pub mod config;
pub mod gateway;

pub mod proxy;

pub mod exchange;

pub mod client;

pub mod edge;

pub mod path;

pub mod route;

pub mod auth;

pub mod limit;
pub mod shed;

pub mod forward;

pub mod aggregate;

pub mod fallback;

pub mod error;

pub mod metrics;
pub mod stats;

pub mod admin;

use std::{collections::BTreeMap, rc::Rc, sync::Arc, time::Duration};

use actix_web::web;
use service::config::Common;
use service::{App, BadValue, Context, StartError};

use self::{
    admin::{Desk, registry::Registry},
    config::Settings,
    gateway::{Around, Gateway, Worker},
    route::table::Table,
};

/// The gateway's own configuration as it is shipped.
pub const DEFAULTS: &str = include_str!("../gateway.toml");

/// How often clients that are back at their full quota are forgotten, and the gateways are counted.
const HOUSEKEEPING: Duration = Duration::from_secs(1);
/// Forgetting walks over all keys: once a minute is enough for a map that is bounded anyway.
const PRUNE_EVERY: u32 = 60;

/// Builds the shared state once, and what each worker has for itself in each.
pub async fn build(settings: Settings, context: Context) -> Result<App, StartError> {
    let around = Around {
        pools: context.upstreams().clone(),
        registry: context.registry.clone(),
        client_metrics: context.client_metrics.clone(),
    };
    let gateway = Arc::new(Gateway::build(settings, around)?);
    let (registry, answering) = Registry::new(context.agent.clone(), views(&context));
    let desk = Desk {
        gateway: gateway.clone(),
        registry,
        identity: context.identity.clone(),
    };
    let keeping = keep_house(gateway.clone(), context.own.clone());
    Ok(App::public(routes(gateway))
        .admin(admin::configure(desk))
        .edge()
        .task(answering)
        .task(keeping))
}

/// Refuses settings that cannot work, alone or beside the common ones.
///
/// # Errors
/// The first bad value, by its key.
pub fn check(settings: &Settings, common: &Common) -> Result<(), BadValue> {
    config::check(settings)?;
    let routes = Table::new(&settings.routes)?;
    gateway::needed(&routes, |name| common.upstreams.contains_key(name))
}

/// Every request comes to one handler: the only router is `route.rs`, on the canonical path.
pub fn routes(gateway: Arc<Gateway>) -> impl Fn(&mut web::ServiceConfig) + Send + Sync + 'static {
    move |config| {
        let worker = Rc::new(Worker::new(gateway.clone()));
        config.default_service(web::to(move |request, payload| {
            proxy::handle(worker.clone(), request, payload)
        }));
    }
}

fn views(context: &Context) -> BTreeMap<String, consul::View> {
    let routed = context
        .upstreams()
        .iter()
        .map(|(name, pool)| (name.clone(), pool.view().clone()));
    routed
        .chain([(context.own.service().to_owned(), context.own.clone())])
        .collect()
}

async fn keep_house(gateway: Arc<Gateway>, own: consul::View) {
    for round in 1_u32.. {
        let healthy = own
            .current()
            .endpoints()
            .iter()
            .filter(|endpoint| endpoint.eligible())
            .count();
        gateway.limits.share_with(healthy);
        if round.is_multiple_of(PRUNE_EVERY) {
            gateway.limits.prune();
        }
        tokio::time::sleep(HOUSEKEEPING).await;
    }
}
