//! The crate against agents: a scripted one that lies, and a real one that is killed and wiped.

#![allow(clippy::unwrap_used, reason = "tests")]

mod process;
mod real_agent;
mod scripted;

mod kv;
mod lies;
mod pace;
mod registering;
mod rs_consul;
mod surviving;
mod tokens;

use std::future::Future;
use std::time::{Duration, Instant};

use consul::{Agent, AgentConfig, Metrics};
use prometheus::Registry;

/// Polls until the condition holds, and says what was expected when it does not in time.
async fn eventually<F: Future<Output = bool>>(
    what: &str,
    limit: Duration,
    condition: impl Fn() -> F,
) {
    let deadline = Instant::now() + limit;
    while !condition().await {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn agent_at(address: &str) -> Agent {
    let config = AgentConfig {
        address: address.to_owned(),
        ..AgentConfig::default()
    };
    Agent::new(&config).unwrap()
}

fn metrics() -> (Registry, Metrics) {
    let registry = Registry::new();
    let metrics = Metrics::register(&registry).unwrap();
    (registry, metrics)
}

/// The value of one series, 0 when it is not there.
fn value(registry: &Registry, series: &str) -> f64 {
    let text = prometheus::TextEncoder::new()
        .encode_to_string(&registry.gather())
        .unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0.0, |number| number.parse().unwrap())
}
