//! The registry as people expect to look at it: every service that the Consul agent knows, ours or not, and a way to add one.
//!
//! The agent's client lives on the main thread and the admin listener does not, so questions travel over a channel to a task there.
//! Services behind routes are watched anyway; others are watched from the first time somebody looks, so that their health is known too.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use consul::{
    Agent, View,
    definition::{Check, Definition, Status, Weights},
};
use futures_util::future::join_all;
use resilience::endpoint::{Endpoint, Health};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

/// One instance as the registry shows it.
#[derive(Debug, Serialize)]
pub struct Instance {
    pub id: String,
    pub status: &'static str,
    pub address: String,
    pub zone: String,
    pub version: String,
    /// Since Consul last confirmed it, in ms.
    pub last_seen_ms: Option<u128>,
}

/// A service that is not one of ours.
#[derive(Debug)]
pub struct External {
    pub name: String,
    pub address: IpAddr,
    pub port: u16,
    /// What the agent asks to find out whether it is well.
    pub check: String,
}

/// Why a service is not registered.
#[derive(Debug)]
pub enum Refused {
    /// The watch would skip an instance at this address.
    Address,
    /// The agent did not take it.
    Agent(consul::Error),
}

/// Asks the task on the main thread; clones ask the same one.
#[derive(Clone)]
pub struct Registry {
    questions: mpsc::Sender<Question>,
}

enum Question {
    All(oneshot::Sender<BTreeMap<String, View>>),
    Register(External, oneshot::Sender<Result<String, Refused>>),
}

/// Questions that wait; people and scripts ask them one by one.
const WAITING: usize = 16;
/// Watches of services that are not behind a route: a registry page must not become a watch storm.
const MOST_WATCHES: usize = 64;
/// A watch that has just begun gets this long for its first answer.
const FIRST_ANSWER: Duration = Duration::from_millis(500);

impl Registry {
    /// The registry and the task that answers for it; `routed` are the views that exist anyway.
    pub fn new(agent: Agent, routed: BTreeMap<String, View>) -> (Self, impl Future<Output = ()>) {
        let (questions, asked) = mpsc::channel(WAITING);
        (Self { questions }, serve(agent, routed, asked))
    }

    /// Every service with its view; `None` when the process is leaving.
    pub async fn all(&self) -> Option<BTreeMap<String, View>> {
        let (answer, answered) = oneshot::channel();
        self.questions.send(Question::All(answer)).await.ok()?;
        answered.await.ok()
    }

    /// Registers a service with the agent; its instance id. `None` when the process is leaving.
    pub async fn register(&self, external: External) -> Option<Result<String, Refused>> {
        let (answer, answered) = oneshot::channel();
        self.questions
            .send(Question::Register(external, answer))
            .await
            .ok()?;
        answered.await.ok()
    }
}

async fn serve(agent: Agent, routed: BTreeMap<String, View>, mut asked: mpsc::Receiver<Question>) {
    // Their series would be as many as people register, so these watches are not exposed.
    let unexposed = consul::Metrics::register(&prometheus::Registry::new())
        .expect("a fresh registry takes everything");
    let mut views = routed;
    while let Some(question) = asked.recv().await {
        match question {
            Question::All(answer) => {
                watch_the_rest(&agent, &unexposed, &mut views).await;
                // Whoever asked may have left.
                let _ = answer.send(views.clone());
            }
            Question::Register(external, answer) => {
                let _ = answer.send(register(&agent, external).await);
            }
        }
    }
}

async fn register(agent: &Agent, external: External) -> Result<String, Refused> {
    if !agent.believes(external.address) {
        return Err(Refused::Address);
    }
    let definition = definition(external);
    agent.register(&definition).await.map_err(Refused::Agent)?;
    Ok(definition.id)
}

async fn watch_the_rest(
    agent: &Agent,
    metrics: &consul::Metrics,
    views: &mut BTreeMap<String, View>,
) {
    let known = agent.services("").await.unwrap_or_else(|error| {
        tracing::warn!(%error, "the agent does not say what it knows: the registry shows what is watched");
        Vec::new()
    });
    for service in known {
        if !views.contains_key(&service.service) && views.len() < MOST_WATCHES {
            let view = consul::watch::spawn(agent, &service.service, metrics);
            views.insert(service.service, view);
        }
    }
    let synced = join_all(views.values().map(View::wait_synced));
    let _ = tokio::time::timeout(FIRST_ANSWER, synced).await;
}

fn definition(external: External) -> Definition {
    let External {
        name,
        address,
        port,
        check,
    } = external;
    let host = address.to_string();
    Definition {
        id: format!(
            "{name}-{}-{port}",
            host.replace(|c: char| !c.is_ascii_alphanumeric(), "-")
        ),
        name,
        address: host,
        port,
        tags: vec!["external".to_owned()],
        meta: BTreeMap::from([("registered_by".to_owned(), "gateway".to_owned())]),
        weights: Weights {
            passing: 1,
            warning: 1,
        },
        check: Some(Check::http(check, Status::Critical)),
    }
}

/// The instances of a view.
pub fn instances(view: &View, now: Instant) -> Vec<Instance> {
    let age = view.age(now).map(|age| age.as_millis());
    let shown = |endpoint: &Endpoint| Instance {
        id: endpoint.id.to_string(),
        status: status(endpoint),
        address: endpoint.address.to_string(),
        zone: endpoint.zone.to_string(),
        version: endpoint.version.to_string(),
        last_seen_ms: age,
    };
    let current: Arc<_> = view.current();
    current.endpoints().iter().map(shown).collect()
}

/// Healthy, unhealthy, or unknown: registered, and no check has passed yet.
fn status(endpoint: &Endpoint) -> &'static str {
    match endpoint.health {
        Health::Passing | Health::Warning => "healthy",
        Health::Critical if !endpoint.ever_passed => "unknown",
        Health::Critical | Health::Maintenance => "unhealthy",
    }
}
