//! A real Consul server agent on free ports, killed when dropped.

use std::fs::File;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use consul::Agent;
use consul::agent::{Consistency, Read};
use serde_json::json;
use tempfile::TempDir;

/// The version that `cargo stack doctor` fetches.
const VERSION: &str = "1.22.6";

pub struct RealAgent {
    folder: TempDir,
    http: u16,
    child: Option<Child>,
}

impl RealAgent {
    /// Starts an agent and waits until it has a leader.
    pub async fn start() -> Self {
        // Held together, so that the three differ.
        let held: Vec<TcpListener> = (0..3)
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let [http, serf, server] = [0, 1, 2].map(|n: usize| held[n].local_addr().unwrap().port());
        let folder = tempfile::tempdir().unwrap();
        let config = json!({
            "server": true,
            "bootstrap": true,
            "node_name": "tested",
            "bind_addr": "127.0.0.1",
            "client_addr": "127.0.0.1",
            "data_dir": folder.path().join("data"),
            "performance": { "raft_multiplier": 1 },
            "disable_update_check": true,
            "log_level": "warn",
            "ports": {
                "http": http, "serf_lan": serf, "server": server,
                "serf_wan": -1, "dns": -1, "grpc": -1, "grpc_tls": -1,
            },
        });
        std::fs::write(folder.path().join("agent.json"), config.to_string()).unwrap();
        drop(held);
        let mut agent = Self {
            folder,
            http,
            child: None,
        };
        agent.boot();
        agent.led().await;
        agent
    }

    pub fn client(&self) -> Agent {
        crate::agent_at(&self.address())
    }

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Starts it again on the same ports, knowing what it knew.
    pub fn boot_again(&mut self) {
        self.boot();
    }

    /// Writes a key as an operator's `curl` does.
    pub async fn put(&self, key: &str, value: &[u8]) {
        let request = awc::Client::default().put(self.kv(key));
        let answer = request.send_body(value.to_vec()).await.unwrap();
        assert_eq!(answer.status(), 200, "PUT {key}");
    }

    /// Deletes a key the same way.
    pub async fn delete(&self, key: &str) {
        let answer = awc::Client::default().delete(self.kv(key)).send().await;
        assert_eq!(answer.unwrap().status(), 200, "DELETE {key}");
    }

    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.http)
    }

    fn kv(&self, key: &str) -> String {
        format!("{}/v1/kv/{key}", self.address())
    }

    /// Starts it again on the same ports, knowing nothing.
    pub fn boot_wiped(&mut self) {
        std::fs::remove_dir_all(self.folder.path().join("data")).unwrap();
        self.boot();
    }

    /// Returns once the agent answers what only a leader can.
    pub async fn led(&self) {
        let client = self.client();
        crate::eventually("consul has a leader", Duration::from_secs(20), || async {
            registered(&client, "consul").await == 1
        })
        .await;
    }

    fn boot(&mut self) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .unwrap();
        let child = Command::new(binary())
            .args(["agent", "-config-file"])
            .arg(self.folder.path().join("agent.json"))
            .stdout(Stdio::from(log.try_clone().unwrap()))
            .stderr(Stdio::from(log))
            .spawn()
            .unwrap();
        self.child = Some(child);
    }
}

impl Drop for RealAgent {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Number of registered instances of a service, by a consistent read; 0 while the agent cannot say.
pub async fn registered(agent: &Agent, service: &str) -> usize {
    let read = Read {
        consistency: Consistency::Consistent,
        index: 0,
        wait: Duration::ZERO,
    };
    agent
        .health(service, &read)
        .await
        .map_or(0, |answer| answer.instances.len())
}

/// `CONSUL_BIN`, then the path, then the cache of fetched tools.
fn binary() -> PathBuf {
    let variable = std::env::var_os("CONSUL_BIN").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("consul"));
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or(home);
    let cached = cache.map(|cache| cache.join(format!("lictor/bin/consul-{VERSION}")));
    let found = variable
        .into_iter()
        .chain(on_path)
        .chain(cached)
        .find(|candidate| candidate.is_file());
    found.unwrap_or_else(|| {
        panic!("no Consul agent found; get it with: cargo stack doctor --fetch consul")
    })
}
