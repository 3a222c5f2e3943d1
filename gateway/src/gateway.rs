//! What the gateway knows and shares, and what each worker has for itself.
//!
//! Policy state (routes, limits, keys, pools with their breakers) is one `Gateway`, built once and shared by all workers: built for each of them, every limit would be multiplied and each breaker would trip alone.
//! Connections belong to a worker, and to one upstream: a slow one cannot take another's.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Instant, SystemTime},
};

use actix_web::http::header::HeaderMap;
use http::HeaderValue;
use resilience::retry::Retry;
use service::{BadValue, StartError};
use telemetry::http::ClientMetrics;
use upstream::{
    Deadline, Pool, call,
    stream::{Connections, StreamConfig},
};

use crate::{
    auth::{Authenticator, Principal, config::TokensConfig, gauges::Gauges as KeyGauges, refresh},
    coalesce::Flights,
    config::{Edge, Settings},
    error::Error,
    fallback,
    fallback::{Fallbacks, config::Fallback, last_good::LastGood},
    limit::{Limits, gauges::Gauges as LimitGauges},
    maintenance::Maintenance,
    metrics::{AuthDecisions, Metrics},
    openapi::Documents,
    recent::Recent,
    route::table::Table,
    route::{Aggregate, Route, Target},
    shed::Shed,
    stats::Stats,
};

/// Shared by all workers.
pub struct Gateway {
    pub edge: Edge,
    /// Our own hop, as `Via` has it.
    pub via: HeaderValue,
    pub routes: Table,
    pub maintenance: Maintenance,
    pub limits: Limits,
    pub shed: Shed,
    pub flights: Flights,
    pub fallbacks: Fallbacks,
    pub stats: Stats,
    pub recent: Recent,
    pub documents: Documents,
    pub metrics: Metrics,
    pub retry: Retry,
    pub client_metrics: ClientMetrics,
    pub upstreams: BTreeMap<Arc<str>, Upstream>,
    pub tokens: TokensConfig,
    pub auth: Authenticator,
    auth_decisions: AuthDecisions,
}

/// What the process gives the gateway to work with.
pub struct Around {
    /// The services behind it, by name.
    pub pools: BTreeMap<String, Arc<Pool>>,
    pub registry: prometheus::Registry,
    pub client_metrics: ClientMetrics,
}

/// A service behind the gateway.
#[derive(Clone)]
pub struct Upstream {
    pub name: Arc<str>,
    /// What it gets as `Host`.
    pub host: HeaderValue,
    pub pool: Arc<Pool>,
}

/// One worker's own; stays on its thread.
pub struct Worker {
    pub gateway: Arc<Gateway>,
    transports: BTreeMap<Arc<str>, Transport>,
}

/// One worker's connections to one upstream.
pub struct Transport {
    pub connections: Connections,
    pub calls: call::Client,
}

/// The services that the aggregates are put together from.
pub const USERS: &str = "users";
pub const ORDERS: &str = "orders";

impl Gateway {
    /// Builds the shared state from settings that have been checked.
    pub fn build(settings: Settings, around: Around) -> Result<Self, StartError> {
        let metrics = Metrics::register(&around.registry)?;
        let routes = Table::new(&settings.routes)?;
        let upstreams = upstreams(&around.pools);
        let fallbacks = Fallbacks {
            named: fallback::config::build(&settings.fallbacks)?,
            last_good: LastGood::new(&settings.kept, metrics.last_good.clone()),
        };
        needed(&routes, &fallbacks.named, &settings.tokens, |name| {
            upstreams.contains_key(name)
        })?;
        if !settings.retries.budget {
            tracing::warn!("the retry budget is off: nothing bounds what retries add");
        }
        let auth = Authenticator::new(&settings.keys, &settings.tokens);
        let keys = KeyGauges::new(auth.keyring.clone())?;
        around.registry.register(Box::new(keys))?;
        let limits = Limits::new(&settings.limits, &settings.keys, &metrics);
        let clients = LimitGauges::new(&limits)?;
        around.registry.register(Box::new(clients))?;
        Ok(Self {
            via: HeaderValue::try_from(format!("1.1 {}", settings.edge.via))
                .expect("the configuration was checked"),
            limits,
            shed: Shed::new(settings.edge.in_flight, metrics.clone()),
            flights: Flights::new(metrics.coalesced()),
            fallbacks,
            stats: Stats::new(routes.iter().len(), Instant::now()),
            recent: Recent::new(),
            documents: Documents::default(),
            auth_decisions: metrics.auth_decisions(),
            auth,
            tokens: settings.tokens,
            maintenance: Maintenance::new(&routes, metrics.clone()),
            edge: settings.edge,
            retry: settings.retries.rule(),
            client_metrics: around.client_metrics,
            routes,
            metrics,
            upstreams,
        })
    }

    /// The end of the time that a route's own upstream has: where another service stands behind it, half is left for that.
    pub fn deadline_of_first(&self, route: &Route, started: Instant) -> Deadline {
        let behind =
            |name: &Arc<str>| matches!(self.fallbacks.named.get(name), Some(Fallback::Service(_)));
        if route.fallbacks.iter().any(behind) {
            Deadline::after(started, route.timeout / 2)
        } else {
            route.deadline(started)
        }
    }

    /// Who makes the request; whether the route lets them.
    pub async fn authenticate(
        &self,
        route: &Route,
        headers: &HeaderMap,
        now: SystemTime,
    ) -> Result<Option<Arc<Principal>>, Error> {
        let asked = self.auth.authenticate(route.access, headers, now).await;
        let decided = match asked.map_err(Error::Credentials) {
            Ok(Some(known)) if !known.has(&route.scopes) => Err(Error::Scope {
                needed: route.scopes.join(" "),
            }),
            other => other,
        };
        self.auth_decisions.count(&decided);
        decided
    }

    /// Keeps the keys that sign tokens fresh; runs on the main thread for as long as the process.
    pub async fn keep_keys(self: Arc<Self>) {
        let publisher = &self.upstreams[self.tokens.upstream.as_str()];
        let calls = call::Client::new(publisher.pool.clone(), self.client_metrics.clone());
        refresh::keep(&self.auth.keyring, &self.tokens, calls, &self.metrics).await;
    }
}

fn upstreams(pools: &BTreeMap<String, Arc<Pool>>) -> BTreeMap<Arc<str>, Upstream> {
    let upstream = |(name, pool): (&String, &Arc<Pool>)| {
        let name: Arc<str> = name.as_str().into();
        let host = HeaderValue::from_str(&name).expect("a service's name is visible ASCII");
        (
            name.clone(),
            Upstream {
                name,
                host,
                pool: pool.clone(),
            },
        )
    };
    pools.iter().map(upstream).collect()
}

/// Every service that a route speaks of must be watched, and the one that publishes the keys of tokens.
pub(crate) fn needed(
    routes: &Table,
    fallbacks: &BTreeMap<Arc<str>, Fallback>,
    tokens: &TokensConfig,
    watched: impl Fn(&str) -> bool,
) -> Result<(), BadValue> {
    if !watched(&tokens.upstream) {
        let reason = format!("name it as [upstreams.{}]", tokens.upstream);
        return Err(BadValue::new("tokens.upstream", &tokens.upstream, reason));
    }
    for (name, fallback) in fallbacks {
        if let Fallback::Service(other) = fallback
            && !watched(&other.service)
        {
            return Err(BadValue::new(
                format!("fallbacks.{name}.service"),
                &other.service,
                "is not watched: name it in [upstreams]",
            ));
        }
    }
    for route in routes.iter() {
        let services: &[&str] = match &route.target {
            Target::Upstream { name, .. } => &[name],
            Target::Aggregate(Aggregate::Profile | Aggregate::Dashboard) => &[USERS, ORDERS],
            Target::Aggregate(
                Aggregate::Health | Aggregate::ServiceHealth | Aggregate::Openapi,
            ) => &[],
        };
        if let Some(missing) = services.iter().find(|service| !watched(service)) {
            let reason = format!(
                "route {} needs it: name it as [upstreams.{missing}]",
                route.name
            );
            return Err(BadValue::new(
                format!("upstreams.{missing}"),
                "(missing)",
                reason,
            ));
        }
    }
    Ok(())
}

impl Worker {
    /// One worker's connections; called on its thread.
    pub fn new(gateway: Arc<Gateway>) -> Self {
        let transport = |(name, upstream): (&Arc<str>, &Upstream)| {
            let config = StreamConfig {
                connect_timeout: upstream.pool.config().connect_timeout(),
                ..StreamConfig::default()
            };
            let calls = call::Client::new(upstream.pool.clone(), gateway.client_metrics.clone());
            (
                name.clone(),
                Transport {
                    connections: Connections::new(config),
                    calls,
                },
            )
        };
        let transports = gateway.upstreams.iter().map(transport).collect();
        Self {
            gateway,
            transports,
        }
    }

    /// A service behind the gateway and this worker's way to it.
    pub fn upstream(&self, name: &str) -> (&Upstream, &Transport) {
        let known = self
            .gateway
            .upstreams
            .get(name)
            .zip(self.transports.get(name));
        known.expect("every service that a route speaks of was checked to be there")
    }
}
