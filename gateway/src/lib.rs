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

pub mod maintenance;

pub mod limit;
pub mod shed;

pub mod kept;

pub mod coalesce;

pub mod forward;

pub mod aggregate;

pub mod openapi;

pub mod fallback;

pub mod error;

pub mod metrics;
pub mod recent;
pub mod stats;

pub mod admin;

use std::{collections::BTreeMap, rc::Rc, sync::Arc, time::Duration};

use actix_web::web;
use resilience::endpoint::{Endpoint, EndpointId};
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

/// Forgetting clients that are back at their full quota walks over all keys: once a minute is enough for a map that is bounded anyway.
const PRUNE_EVERY: Duration = Duration::from_secs(60);

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
    let me = EndpointId::new(&context.identity.instance);
    let keeping = keep_house(gateway.clone(), context.own.clone(), me);
    let maintenance = maintenance::setting(gateway.clone());
    Ok(app(gateway)
        .admin(admin::configure(desk))
        .setting(maintenance)
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
    let fallbacks = fallback::config::build(&settings.fallbacks)?;
    gateway::needed(&routes, &fallbacks, &settings.tokens, |name| {
        common.upstreams.contains_key(name)
    })
}

/// The public side, and the task that keeps what it needs fresh.
pub fn app(gateway: Arc<Gateway>) -> App {
    let keeping = gateway.clone().keep_keys();
    public(gateway).task(keeping)
}

/// The public side alone.
pub fn public(gateway: Arc<Gateway>) -> App {
    let trusted = gateway.edge.trusted_proxies.clone();
    App::public(routes(gateway)).edge(move |peer| client::counted(peer, &trusted))
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

/// Shares the quotas with every healthy gateway from the moment that Consul tells of it, and forgets old clients.
pub async fn keep_house(gateway: Arc<Gateway>, own: consul::View, me: EndpointId) {
    let mut changes = own.subscribe();
    let mut prune = tokio::time::interval(PRUNE_EVERY);
    loop {
        let gateways = changes.borrow_and_update().clone();
        // Whoever serves counts itself, also while Consul does not know it yet or has given it up.
        let others = |one: &&Endpoint| one.eligible() && one.id != me;
        let others = gateways.endpoints().iter().filter(others).count();
        gateway.limits.share_with(others + 1);
        tokio::select! {
            // Cannot fail and so cannot spin: `own` keeps the sender.
            _ = changes.changed() => {}
            _ = prune.tick() => gateway.limits.prune(),
        }
    }
}
