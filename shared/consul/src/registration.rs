//! This process in Consul's catalogue: what is registered, and the handle on the loop that keeps it so.
//!
//! The loop itself is `reconcile.rs`.
//! The caller proves that the process is well (it asks its own `/readyz` over the socket) and the service is registered
//! with what was just proven, because the agent runs a check first after a random part of its interval.
//! Draining is deregistering, not maintenance mode, which survives restarts.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::agent::Agent;
use crate::definition::{AgentService, Check, Definition, Status, Weights};
use crate::error::Error;
use crate::meta;
use crate::metrics::Metrics;
use crate::reconcile::{Reconciler, Shared};

/// What a process registers as.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The service, such as `users`.
    pub name: String,
    /// [`Registration::instance_id`].
    pub id: String,
    /// Where others reach it; never a wildcard.
    pub address: IpAddr,
    /// Port of its API.
    pub port: u16,
    /// Port of its ops listener: `/readyz` is checked there.
    pub ops_port: u16,
    /// Failure domain, `[a-z0-9-]{1,32}`.
    pub zone: String,
    /// Version of the program.
    pub version: String,
    /// Share of the traffic relative to its peers, 1-65535.
    pub weight: u32,
}

/// A registration that is being kept. Dropping it stops the loop and leaves the registration.
pub struct Handle {
    agent: Agent,
    id: String,
    shared: Rc<Shared>,
    task: JoinHandle<()>,
}

/// A process that drains goes on whether or not Consul answers.
const DEREGISTER_LIMIT: Duration = Duration::from_secs(2);
/// Between two tries to deregister.
const DEREGISTER_RETRY: Duration = Duration::from_millis(200);

/// Eight hex digits that tell this start of the process from every other.
#[must_use]
pub fn boot() -> String {
    format!("{:08x}", rand::random::<u32>())
}

/// Registers, and keeps registering whenever the agent has forgotten, until the handle says otherwise.
/// Returns at once; an agent that is not there is tried until it is.
/// `prove` says whether this process is well right now.
pub fn spawn<P, F>(agent: Agent, registration: Registration, metrics: Metrics, prove: P) -> Handle
where
    P: Fn() -> F + 'static,
    F: Future<Output = bool> + 'static,
{
    let shared = Rc::new(Shared::new(metrics.registration.state.clone()));
    let id = registration.id.clone();
    let reconciler = Reconciler::new(
        agent.clone(),
        registration,
        metrics,
        prove,
        Rc::clone(&shared),
    );
    let task = actix_web::rt::spawn(reconciler.run());
    Handle {
        agent,
        id,
        shared,
        task,
    }
}

// ---

impl Registration {
    /// `name-host-port-boot`, usable in a path and as a label.
    #[must_use]
    pub fn instance_id(name: &str, address: IpAddr, port: u16, boot: &str) -> String {
        let host = address.to_string().replace(':', "-");
        format!("{name}-{host}-{port}-{boot}")
    }

    pub(crate) fn definition(&self, status: Status) -> Definition {
        let boot = self.id.rsplit('-').next().unwrap_or_default();
        let meta = [
            (meta::ZONE, self.zone.clone()),
            (meta::VERSION, self.version.clone()),
            (meta::OPS_PORT, self.ops_port.to_string()),
            (meta::OWNER, meta::OURS.to_owned()),
            (meta::BOOT, boot.to_owned()),
        ];
        let ops = SocketAddr::new(self.address, self.ops_port);
        Definition {
            id: self.id.clone(),
            name: self.name.clone(),
            address: self.address.to_string(),
            port: self.port,
            tags: vec![
                format!("{}={}", meta::ZONE, self.zone),
                format!("{}={}", meta::VERSION, self.version),
            ],
            meta: meta
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect::<BTreeMap<_, _>>(),
            // A warning means slow or half ill: half of the traffic.
            weights: Weights {
                passing: self.weight,
                warning: (self.weight / 2).max(1),
            },
            check: Some(Check::http(format!("http://{ops}/readyz"), status)),
        }
    }

    /// Whether `other` is an earlier start of a process of ours at this address: it cannot be alive.
    pub(crate) fn supersedes(&self, other: &AgentService) -> bool {
        let owner = other.meta.as_ref().and_then(|meta| meta.get(meta::OWNER));
        owner.is_some_and(|owner| owner == meta::OURS)
            && other.id != self.id
            && other.port == self.port
            && other.address == self.address.to_string()
    }
}

impl Handle {
    /// Whether the agent confirmed the registration when it was last asked.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        self.shared.is_registered()
    }

    /// Waits until the agent confirms the registration; false when it has not within `limit`.
    pub async fn registered(&self, limit: Duration) -> bool {
        tokio::time::timeout(limit, self.shared.wait_registered())
            .await
            .is_ok()
    }

    /// From now on the agent may forget us: the first step of draining.
    pub fn stop_reconciling(&self) {
        self.shared.stop();
    }

    /// Stops reconciling and takes the service out of the catalogue; tries for two seconds.
    /// A registration that is on its way is awaited first, so that it cannot come after.
    ///
    /// # Errors
    ///
    /// When the agent has not confirmed it in time; it forgets us by the check then.
    pub async fn deregister(&self) -> Result<(), Error> {
        self.stop_reconciling();
        let deregistered = tokio::time::timeout(DEREGISTER_LIMIT, async {
            let _turn = self.shared.turn().await;
            while let Err(error) = self.agent.deregister(&self.id).await {
                tracing::debug!(%error, "not deregistered yet");
                tokio::time::sleep(DEREGISTER_RETRY).await;
            }
            self.shared.set_registered(false);
        });
        deregistered
            .await
            .map_err(|_| Error::Timeout(DEREGISTER_LIMIT))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn registration() -> Registration {
        let address = IpAddr::from([10, 0, 0, 1]);
        Registration {
            name: "users".to_owned(),
            id: Registration::instance_id("users", address, 8080, "0badcafe"),
            address,
            port: 8080,
            ops_port: 8081,
            zone: "a".to_owned(),
            version: "0.1.0".to_owned(),
            weight: 10,
        }
    }

    fn known(id: &str, owner: &str, address: &str, port: u16) -> AgentService {
        let value = json!({ "ID": id, "Service": "any", "Address": address, "Port": port, "Meta": { "owner": owner } });
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn ids_name_service_host_port_and_boot() {
        assert_eq!(registration().id, "users-10.0.0.1-8080-0badcafe");
        let six = Registration::instance_id("users", "fd00::1".parse().unwrap(), 1, "00000000");
        assert_eq!(six, "users-fd00--1-1-00000000");
    }

    #[test]
    fn zone_version_and_ops_port_are_metadata_and_the_first_two_tags_as_well() {
        let definition = registration().definition(Status::Passing);
        assert_eq!(definition.tags, ["zone=a", "version=0.1.0"]);
        let meta: Vec<(&str, &str)> = definition
            .meta
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        let expected = [
            ("boot", "0badcafe"),
            ("ops_port", "8081"),
            ("owner", "lictor"),
            ("version", "0.1.0"),
            ("zone", "a"),
        ];
        assert_eq!(meta, expected);
        assert_eq!(
            definition.check.unwrap().http,
            "http://10.0.0.1:8081/readyz"
        );
    }

    #[test]
    fn only_an_earlier_start_of_ours_at_the_same_address_and_port_is_superseded() {
        let ours = registration();
        assert!(ours.supersedes(&known(
            "users-10.0.0.1-8080-ffffffff",
            "lictor",
            "10.0.0.1",
            8080
        )));
        assert!(!ours.supersedes(&known(&ours.id, "lictor", "10.0.0.1", 8080)));
        assert!(!ours.supersedes(&known("x", "somebody", "10.0.0.1", 8080)));
        assert!(!ours.supersedes(&known("x", "lictor", "10.0.0.1", 8081)));
        assert!(!ours.supersedes(&known("x", "lictor", "10.0.0.2", 8080)));
    }

    #[test]
    fn every_boot_is_another() {
        assert_ne!(boot(), boot());
        assert_eq!(boot().len(), 8);
    }
}
