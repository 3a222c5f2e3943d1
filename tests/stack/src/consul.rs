//! The Consul agent of a run: one real server, alone, on the loopback address.
//!
//! It keeps its data in the run's directory and answers on one HTTP port; DNS, gRPC and the wide-area gossip are off.
//! Here are also the few questions that the runner asks it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Client;
use crate::error::Error;
use crate::place::Place;
use crate::ports;
use crate::process::{Process, Program};
use crate::reporter::Reporter;
use crate::unit::Unit;
use crate::wait;

/// What `status` and the verbs call it.
pub const NAME: &str = "consul";

/// An agent that has no leader by then never gets one; usual is 2 s.
const LEADER: Duration = Duration::from_secs(30);

/// One server agent.
#[derive(Debug)]
pub struct Consul {
    pub unit: Arc<Unit>,
    /// HTTP, server, gossip.
    ports: [SocketAddr; 3],
    data: PathBuf,
    client: Client,
}

/// An instance as Consul's catalogue has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Different for each start of an instance.
    pub id: String,
    pub address: SocketAddr,
    /// `passing`, `warning`, `critical` or `maintenance`.
    pub health: String,
}

impl Consul {
    /// Writes its configuration; nothing runs yet.
    pub fn prepare(
        place: &Place,
        binary: PathBuf,
        address: SocketAddr,
        reporter: &Reporter,
    ) -> Result<Self, Error> {
        let data = place.consul_data();
        let file = place.consul_config();
        let ports = [address, ports::any(), ports::any()];
        let text = configuration(ports, &data).to_string();
        std::fs::write(&file, text).map_err(Error::io(format!("writing {}", file.display())))?;
        let program = Program {
            name: NAME.to_owned(),
            path: binary,
            args: vec!["agent".into(), "-config-file".into(), file.into()],
            env: BTreeMap::new(),
            log: place.log(NAME),
        };
        let unit = Arc::new(Unit::new(program, reporter.clone()));
        Ok(Self {
            unit,
            ports,
            data,
            client: Client::new(address),
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.ports[0]
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Starts it, on an empty disk when told so; it answers a little later (`leader`).
    pub fn start(&self, wipe: bool) -> Result<Process, Error> {
        if wipe && self.unit.process().is_none() {
            let _ = std::fs::remove_dir_all(&self.data);
        }
        let process = self.unit.start()?;
        self.unit.watch(process.clone());
        Ok(process)
    }

    /// Waits until it has elected itself: before that it accepts registrations but tells nobody of them.
    pub async fn leader(&self) -> Result<(), Error> {
        wait::until("Consul's leader", LEADER, || async {
            if let crate::unit::State::Ended(exit) = self.unit.state() {
                return Ok(Err(self.unit.died(exit)));
            }
            let answer = self
                .client
                .get("/v1/status/leader")
                .await
                .map_err(|failure| failure.to_string())?;
            if answer.status == 200 && answer.text().len() > 2 {
                Ok(Ok(()))
            } else {
                Err("no leader yet".to_owned())
            }
        })
        .await?
    }

    /// Every registered instance of a service.
    pub async fn registered(&self, service: &str) -> Result<Vec<Registered>, String> {
        let path = format!("/v1/health/service/{service}");
        let answer = self
            .client
            .get(&path)
            .await
            .map_err(|failure| failure.to_string())?;
        let Value::Array(entries) = answer.json() else {
            return Err(format!("{path} answered {}", answer.status));
        };
        Ok(entries.iter().filter_map(entry).collect())
    }
}

/// One entry of `/v1/health/service`: its worst check counts.
fn entry(entry: &Value) -> Option<Registered> {
    let service = &entry["Service"];
    let host = service["Address"]
        .as_str()
        .filter(|host| !host.is_empty())
        .or(entry["Node"]["Address"].as_str())?;
    let address = SocketAddr::new(
        host.parse().ok()?,
        u16::try_from(service["Port"].as_u64()?).ok()?,
    );
    let statuses = || {
        entry["Checks"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|check| check["Status"].as_str())
    };
    let worst = ["maintenance", "critical", "warning"]
        .into_iter()
        .find(|bad| statuses().any(|status| status == *bad));
    Some(Registered {
        id: service["ID"].as_str()?.to_owned(),
        address,
        health: worst.unwrap_or("passing").to_owned(),
    })
}

fn configuration([address, server, gossip]: [SocketAddr; 3], data: &std::path::Path) -> Value {
    json!({
        "server": true,
        "bootstrap_expect": 1,
        "node_name": "lictor",
        "data_dir": data,
        "bind_addr": "127.0.0.1",
        "client_addr": address.ip(),
        "ports": {
            "http": address.port(),
            "server": server.port(),
            "serf_lan": gossip.port(),
            "serf_wan": -1, "dns": -1, "grpc": -1, "grpc_tls": -1,
        },
        // The default (5) is for weak machines that share a network; alone it only delays the first leader.
        "performance": { "raft_multiplier": 1 },
        "ui_config": { "enabled": true },
        "telemetry": { "prometheus_retention_time": "60s", "disable_hostname": true },
        "disable_update_check": true,
        "log_level": "INFO",
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_worst_check_counts_and_the_node_lends_its_address() {
        let raw = json!({
            "Node": { "Address": "127.0.0.1" },
            "Service": { "ID": "users-1", "Address": "", "Port": 4000 },
            "Checks": [{ "Status": "passing" }, { "Status": "critical" }],
        });
        let found = entry(&raw).unwrap();
        assert_eq!(
            (found.address.to_string().as_str(), found.health.as_str()),
            ("127.0.0.1:4000", "critical")
        );
    }
}
