//! A running system: what it consists of and how to reach it.
//!
//! What can be done to it is in `verbs.rs`, how it begins and ends in `start.rs` and `stop.rs`.
//! The handle is cheap to clone; when the last one goes, whatever still runs is killed.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::builder::Builder;
use crate::client::Client;
use crate::companions::Companions;
use crate::consul::{self, Consul};
use crate::error::Error;
use crate::instance::Instance;
use crate::keys::Keys;
use crate::load::{Journey, Load, Plan};
use crate::place::Place;
use crate::record::Lock;
use crate::reporter::Reporter;
use crate::sink::Sink;
use crate::start::Timings;

/// A running system.
#[derive(Clone, Debug)]
pub struct Stack(Arc<Inner>);

/// What a system consists of, before anything of it runs.
#[derive(Debug)]
pub struct Parts {
    pub place: Place,
    pub _lock: Lock,
    pub keys: Keys,
    pub consul: Consul,
    pub sink: Option<Sink>,
    pub companions: Companions,
    pub gateways: Vec<Instance>,
    pub services: Vec<Instance>,
    pub reporter: Reporter,
}

#[derive(Debug)]
pub(crate) struct Inner {
    parts: Parts,
    timings: Mutex<Timings>,
    ending: watch::Sender<bool>,
}

impl Stack {
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner {
            parts,
            timings: Mutex::default(),
            ending: watch::Sender::new(false),
        }))
    }

    pub(crate) fn weak(&self) -> std::sync::Weak<Inner> {
        Arc::downgrade(&self.0)
    }

    pub(crate) fn of(inner: Arc<Inner>) -> Self {
        Self(inner)
    }

    pub(crate) fn started(&self, timings: Timings) {
        *self
            .0
            .timings
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = timings;
    }

    pub fn timings(&self) -> Timings {
        *self
            .0
            .timings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub fn place(&self) -> &Place {
        &self.0.parts.place
    }

    pub(crate) fn reporter(&self) -> &Reporter {
        &self.0.parts.reporter
    }

    pub fn keys(&self) -> &Keys {
        &self.0.parts.keys
    }

    pub fn consul(&self) -> &Consul {
        &self.0.parts.consul
    }

    /// The first gateway.
    pub fn gateway(&self) -> &Instance {
        &self.0.parts.gateways[0]
    }

    /// Gateways first, then services.
    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.0.parts.gateways.iter().chain(&self.0.parts.services)
    }

    pub(crate) fn gateways(&self) -> &[Instance] {
        &self.0.parts.gateways
    }

    pub(crate) fn services(&self) -> &[Instance] {
        &self.0.parts.services
    }

    /// What watches it.
    pub fn companions(&self) -> &Companions {
        &self.0.parts.companions
    }

    /// The sink, when traces are kept here.
    pub(crate) fn collector(&self) -> Option<&Sink> {
        self.0.parts.sink.as_ref()
    }

    pub fn instance(&self, name: &str) -> Result<&Instance, Error> {
        self.instances()
            .find(|instance| instance.name() == name)
            .ok_or_else(|| self.unknown(name))
    }

    /// Asks the first gateway with the demo key.
    pub fn client(&self) -> Client {
        Client::new(self.gateway().addresses.public).with_key(&self.keys().demo)
    }

    /// Asks the first gateway with the load key.
    pub fn load_client(&self) -> Client {
        Client::new(self.gateway().addresses.public).with_key(&self.keys().load)
    }

    /// The shop's journey against the first gateway.
    pub async fn load(&self, plan: Plan) -> Result<Load, Error> {
        let journey = Journey::shop(&self.load_client()).await?;
        Ok(Load::start(plan, self.load_client(), journey))
    }

    /// Asks whoever waits in `ended` to stop.
    pub fn end(&self) {
        self.0.ending.send_replace(true);
    }

    /// Resolves when someone asked for the end.
    pub async fn ended(&self) {
        let mut ending = self.0.ending.subscribe();
        // The sender lives as long as this handle.
        let _ = ending.wait_for(|asked| *asked).await;
    }

    /// Kills what runs, at once.
    pub(crate) fn abandon(&self) {
        self.0.parts.abandon();
    }

    fn unknown(&self, name: &str) -> Error {
        let known: Vec<&str> = self
            .instances()
            .map(Instance::name)
            .chain([consul::NAME])
            .collect();
        Error::UnknownInstance {
            name: name.to_owned(),
            known: known.join(", "),
        }
    }
}

impl Parts {
    fn abandon(&self) {
        let units = self
            .gateways
            .iter()
            .chain(&self.services)
            .map(|instance| &instance.unit)
            .chain([&self.consul.unit])
            .chain(self.companions.units().map(|(unit, _)| unit));
        units.for_each(|unit| unit.abandon());
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        self.abandon();
    }
}
