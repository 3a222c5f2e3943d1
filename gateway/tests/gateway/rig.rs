//! A running gateway for one test: the shipped configuration with the test's own on top, the production listener, upstreams at fixed addresses.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, mpsc},
    thread::JoinHandle,
};

use consul::View;
use gateway::{
    config::Settings,
    gateway::{Around, Gateway},
};
use resilience::endpoint::{Endpoint, EndpointId, Health, Weights, Zone};
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;

use crate::{
    upstream::Upstream,
    wire::{Answer, Wire, eventually},
};

/// A key of the `demo` client; `OTHER` is somebody else's.
pub const DEMO: &str = "demo.correct-horse";
pub const OTHER: &str = "other.battery-staple";

/// Who publishes the keys of tokens, where a test names it: a service of its own, so that the others see requests of clients only.
pub const KEYS: &str = "keys";

const SHOP: [&str; 5] = [
    "users",
    "orders",
    "inventory",
    "payments",
    "recommendations",
];

/// What both may do: all that the shipped routes ask for.
pub const SCOPES: &[&str] = &[
    "users:read",
    "users:write",
    "orders:read",
    "orders:write",
    "orders:manage",
    "inventory:write",
    "payments:read",
    "payments:write",
    "payments:refund",
    "reports:read",
];
/// How a gateway ends.
#[derive(Debug, PartialEq, Eq)]
enum Stop {
    AtOnce,
    Drained,
}

/// A gateway that stops when dropped.
pub struct Rig {
    pub address: SocketAddr,
    pub registry: prometheus::Registry,
    pub gateway: Arc<Gateway>,
    stop: Option<oneshot::Sender<Stop>>,
    thread: Option<JoinHandle<()>>,
}

impl Rig {
    /// Every service of the shop is this one upstream.
    pub fn in_front_of(upstream: &Upstream) -> Self {
        Self::with("", &[("", &[upstream.address])])
    }

    /// The same as one of several gateways that Consul calls healthy.
    pub fn one_of(gateways: usize, toml: &str, upstreams: &[(&str, &[SocketAddr])]) -> Self {
        let ports = (1..).take(gateways);
        let healthy = ports.map(|port| endpoint("gateway", ([127, 0, 0, 1], port).into()));
        let rig = Self::start(View::fixed("gateway", healthy.collect()), toml, upstreams);
        eventually(
            || rig.metric("lictor_rate_limit_gateways", &[]),
            |known| *known == gateways as f64,
        );
        rig
    }

    /// `toml` replaces keys of the shipped configuration, `[upstreams.NAME]` keys of that pool's; the service `""` stands for every one that is not named.
    pub fn with(toml: &str, upstreams: &[(&str, &[SocketAddr])]) -> Self {
        Self::start(View::fixed("gateway", Vec::new()), toml, upstreams)
    }

    fn start(own: View, toml: &str, upstreams: &[(&str, &[SocketAddr])]) -> Self {
        let toml = toml.to_owned();
        let by_name: BTreeMap<String, Vec<SocketAddr>> = upstreams
            .iter()
            .map(|(name, addresses)| ((*name).to_owned(), addresses.to_vec()))
            .collect();
        let registry = prometheus::Registry::new();
        let (stop, stopped) = oneshot::channel();
        let (started, running) = mpsc::channel();
        let metrics = registry.clone();
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let gateway = Arc::new(build(&toml, &by_name, metrics.clone()));
                let me = endpoint("gateway", ([127, 0, 0, 1], 1).into()).id;
                actix_web::rt::spawn(gateway::keep_house(gateway.clone(), own, me));
                let app = if by_name.contains_key(KEYS) {
                    gateway::app(gateway.clone())
                } else {
                    gateway::public(gateway.clone())
                };
                let running = service::testing::serve_with(app, &server(&toml), &metrics).await;
                started.send((running.address, gateway)).unwrap();
                if stopped.await == Ok(Stop::Drained) {
                    running.drain().await;
                }
            });
        });
        let (address, gateway) = running.recv().unwrap();
        Self {
            address,
            registry,
            gateway,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Begins to stop as production does: what runs may end.
    pub fn drain(&mut self) {
        let stop = self.stop.take().expect("it was not stopped before");
        stop.send(Stop::Drained).unwrap();
    }

    /// A new connection to the gateway.
    pub fn connect(&self) -> Wire {
        Wire::connect(self.address)
    }

    /// One request with the demo key on a connection of its own.
    pub fn ask(&self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Answer {
        let mut wire = self.connect();
        wire.send(&request(method, path, headers, body));
        wire.answer_to(method)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], b"")
    }

    /// Lets every breaker count without refusing, so that a test sees the rest.
    pub fn only_observe(&self) {
        for upstream in self.gateway.upstreams.values() {
            upstream
                .pool
                .set_breaker_mode(::upstream::Mode::Observe, std::time::Instant::now());
        }
    }

    /// The value of a counter or gauge, summed over the series whose labels are among those given.
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let families = self.registry.gather();
        let Some(family) = families.iter().find(|family| family.name() == name) else {
            return 0.0;
        };
        let fits = |metric: &&prometheus::proto::Metric| {
            let has = |(name, value): &(&str, &str)| {
                metric
                    .get_label()
                    .iter()
                    .any(|pair| pair.name() == *name && pair.value() == *value)
            };
            labels.iter().all(has)
        };
        family
            .get_metric()
            .iter()
            .filter(fits)
            .map(|metric| metric.get_counter().get_value() + metric.get_gauge().get_value())
            .sum()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(Stop::AtOnce);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The gateway's state; on a runtime, because the pools follow their views there.
pub fn build(
    toml: &str,
    by_name: &BTreeMap<String, Vec<SocketAddr>>,
    registry: prometheus::Registry,
) -> Gateway {
    let mut replacing: toml::Table = toml::from_str(toml).unwrap();
    replacing.remove("server");
    let upstreams = replacing
        .remove("upstreams")
        .unwrap_or(toml::Value::Table(toml::Table::new()));
    Gateway::build(settings(replacing), around(&upstreams, by_name, registry))
        .expect("the configuration is good")
}

/// A well-formed request with the demo key; a body gets its length.
pub fn request(method: &str, path: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: shop\r\n");
    if !headers
        .iter()
        .any(|header| header.to_ascii_lowercase().starts_with("x-api-key"))
    {
        text += &format!("X-API-Key: {DEMO}\r\n");
    }
    if !body.is_empty() {
        text += &format!("Content-Length: {}\r\n", body.len());
    }
    for header in headers.iter().filter(|header| **header != "x-api-key") {
        text += header;
        text += "\r\n";
    }
    text += "\r\n";
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn settings(replacing: toml::Table) -> Settings {
    let mut whole: toml::Table = toml::from_str(gateway::DEFAULTS).unwrap();
    whole.retain(|section, _| {
        [
            "edge",
            "routes",
            "limits",
            "tokens",
            "fallbacks",
            "kept",
            "retries",
        ]
        .contains(&section)
    });
    let mut keys = String::new();
    for (id, key) in [("demo", DEMO), ("other", OTHER)] {
        let digest: String = Sha256::digest(key)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        keys += &format!(
            "[keys.{id}]\ndigest = \"{digest}\"\nsubject = \"{id}\"\nscopes = {SCOPES:?}\n"
        );
    }
    merge(&mut whole, toml::from_str(&keys).unwrap());
    merge(&mut whole, replacing);
    let settings = whole.try_into().unwrap();
    gateway::config::check(&settings).unwrap();
    settings
}

/// The listener's settings as shipped, with the test's own; one worker, because tests count what it holds, and connections that last.
fn server(replacing: &str) -> String {
    let section = |toml: &str| {
        let mut whole: toml::Table = toml::from_str(toml).unwrap();
        whole.retain(|section, _| section == "server");
        whole
    };
    let mut server = section(gateway::DEFAULTS);
    merge(
        &mut server,
        section("[server]\nworkers = 1\nrequests_per_connection = 1000000"),
    );
    merge(&mut server, section(replacing));
    server.to_string()
}

fn merge(below: &mut toml::Table, above: toml::Table) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(above)) => merge(below, above),
            (_, value) => drop(below.insert(key, value)),
        }
    }
}

fn around(
    upstreams: &toml::Value,
    by_name: &BTreeMap<String, Vec<SocketAddr>>,
    registry: prometheus::Registry,
) -> Around {
    let metrics = ::upstream::Metrics::register(&registry).unwrap();
    let client_metrics = telemetry::http::ClientMetrics::register(&registry).unwrap();
    let own = View::fixed("gateway", Vec::new());
    let pool = |name: &str| {
        let addresses = by_name
            .get(name)
            .or_else(|| by_name.get(""))
            .cloned()
            .unwrap_or_default();
        let endpoints = addresses
            .iter()
            .map(|address| endpoint(name, *address))
            .collect();
        let mut config: toml::Table =
            toml::from_str("slow_start_ms = 0\ntimeout_ms = 700").unwrap();
        if let Some(toml::Value::Table(own)) = upstreams.get(name) {
            merge(&mut config, own.clone());
        }
        let config: ::upstream::PoolConfig = config.try_into().unwrap();
        let view = View::fixed(name, endpoints);
        let pool = ::upstream::Pool::new(
            name,
            config,
            Zone::new("a"),
            view,
            own.clone(),
            metrics.clone(),
        );
        (name.to_owned(), pool)
    };
    let named = by_name.keys().map(String::as_str);
    let all = SHOP.into_iter().chain(named.filter(|name| *name == KEYS));
    let pools = all.map(pool).collect();
    Around {
        pools,
        registry,
        client_metrics,
    }
}

fn endpoint(name: &str, address: SocketAddr) -> Endpoint {
    Endpoint {
        id: EndpointId::new(&format!("{name}-{}", address.port())),
        address,
        ops_port: None,
        zone: Zone::new("a"),
        version: "0.1.0".into(),
        weights: Weights {
            passing: 10,
            warning: 1,
        },
        health: Health::Passing,
        ever_passed: true,
    }
}
