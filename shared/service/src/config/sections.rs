//! The sections that every process has. `service.toml` beside the crate's manifest holds each key
//! with its default and why; these structs only mirror it and refuse what is impossible.

use super::{BadValue, Secret};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

/// All common sections of one process.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Common {
    /// Listeners and their limits.
    pub server: Server,
    /// Who this instance is.
    pub identity: Identity,
    /// Where the Consul agent is.
    pub consul: consul::AgentConfig,
    /// How long a stop may take.
    pub drain: Drain,
    /// Traces and logs.
    pub telemetry: telemetry::Settings,
    /// The database.
    pub store: Store,
    /// Faults on demand.
    pub faults: Faults,
    /// The services that this process calls, by Consul name.
    #[serde(default)]
    pub upstreams: BTreeMap<String, upstream::PoolConfig>,
}

/// `[server]`: the three listeners.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// The API.
    pub public: SocketAddr,
    /// `/livez`, `/readyz`, `/metrics`.
    pub ops: SocketAddr,
    /// Everything that changes state.
    pub admin: SocketAddr,
    /// Threads that serve the public listener.
    pub workers: NonZeroUsize,
    /// The address to register; unset: the one that faces Consul.
    pub advertise: Option<IpAddr>,
    /// Needed for every change through the admin listener; unset: none is possible.
    pub admin_token: Option<Secret>,
    /// Host names, beside IP addresses and `localhost`, that the admin listener answers to.
    pub admin_hosts: Vec<String>,
    /// Idle time of a client's connection, in ms.
    pub keep_alive_ms: u64,
    /// Time for each request head, from its first byte, in ms.
    pub head_timeout_ms: u64,
    /// Time for a client to take some of its answer, in ms.
    pub write_stall_ms: u64,
    /// Requests of one connection; unset: any number.
    pub requests_per_connection: Option<NonZeroU32>,
    /// Connections of one address, where clients are strangers; unset: any number.
    pub connections_per_address: Option<NonZeroUsize>,
    /// Largest JSON body, in bytes.
    pub body_limit_bytes: usize,
    /// Deadline of a request that brought none, in ms.
    pub request_timeout_ms: u64,
    /// Open connections of one worker.
    pub max_connections: usize,
}

/// `[identity]`: who this instance is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Zone label, `[a-z0-9-]{1,32}`.
    pub zone: String,
    /// Deployment environment, for traces.
    pub environment: String,
    /// Share of traffic against the peers, 1 to 65535.
    pub weight: u16,
}

/// `[drain]`: how a stop proceeds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drain {
    /// Time to go on serving after deregistration, in ms.
    pub propagation_ms: u64,
    /// Time for running requests after the listeners closed, in ms.
    pub deadline_ms: u64,
}

/// `[store]`: the database.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// `sqlite://PATH` or `postgres://...`.
    pub url: String,
    /// Connections of this process.
    pub connections: u32,
    /// How long a call waits for a connection or a lock, in ms.
    pub wait_ms: u64,
}

/// `[faults]`: drills.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Faults {
    /// Whether faults may be set at all.
    pub enabled: bool,
}

/// Threads of one listener: more than any machine of today has cores, far fewer than a process may have.
const MOST_WORKERS: usize = 256;

impl Common {
    /// Refuses what the types alone cannot.
    pub(crate) fn check(&self) -> Result<(), BadValue> {
        label("identity.zone", &self.identity.zone)?;
        positive("identity.weight", self.identity.weight)?;
        let workers = self.server.workers.get();
        if workers > MOST_WORKERS {
            let reason = format!("must be at most {MOST_WORKERS}");
            return Err(BadValue::new("server.workers", workers, reason));
        }
        positive("server.head_timeout_ms", self.server.head_timeout_ms)?;
        positive("server.write_stall_ms", self.server.write_stall_ms)?;
        positive("server.request_timeout_ms", self.server.request_timeout_ms)?;
        positive("server.keep_alive_ms", self.server.keep_alive_ms)?;
        positive("store.connections", self.store.connections)?;
        positive("store.wait_ms", self.store.wait_ms)?;
        let url = &self.store.url;
        if !["sqlite://", "postgres://", "postgresql://"]
            .iter()
            .any(|scheme| url.starts_with(scheme))
        {
            let scheme = url.split("://").next().unwrap_or_default();
            return Err(BadValue::new(
                "store.url",
                scheme,
                "must start with sqlite:// or postgres://",
            ));
        }
        Ok(())
    }
}

impl Drain {
    pub(crate) fn propagation(&self) -> Duration {
        Duration::from_millis(self.propagation_ms)
    }

    pub(crate) fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }
}

fn positive<N: Into<u64> + Copy>(key: &str, value: N) -> Result<(), BadValue> {
    if value.into() == 0 {
        return Err(BadValue::new(key, 0, "must be at least 1"));
    }
    Ok(())
}

/// Consul meta values and metric labels: `[a-z0-9-]{1,32}`.
fn label(key: &str, value: &str) -> Result<(), BadValue> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if value.is_empty() || value.len() > 32 || !value.bytes().all(plain) {
        return Err(BadValue::new(
            key,
            value,
            "must be 1 to 32 of a-z, 0-9 and -",
        ));
    }
    Ok(())
}
