//! A running system and the verbs that act on it.
//!
//! Everything a person can do from a second shell and everything a test does to the system is a method here.
//! The handle is cheap to clone; when the last one goes, whatever still runs is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tokio::sync::watch;

use crate::builder::Builder;
use crate::client::Client;
use crate::consul::{self, Consul};
use crate::error::Error;
use crate::instance::{DRAIN, Instance};
use crate::keys::Keys;
use crate::load::{Journey, Load, Plan};
use crate::place::Place;
use crate::record::Lock;
use crate::reporter::Reporter;
use crate::sink::{Sink, Trace};
use crate::start::{self, Timings};
use crate::unit::Unit;
use crate::wait;

/// Exporters send every few seconds; a trace asked for right after its request is on its way.
const TRACE_ON_ITS_WAY: Duration = Duration::from_secs(10);

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

    /// The health in Consul's catalogue, by address.
    pub async fn health(&self) -> Result<BTreeMap<SocketAddr, String>, String> {
        let mut health = BTreeMap::new();
        for service in self
            .instances()
            .map(|instance| instance.service.as_str())
            .collect::<BTreeSet<_>>()
        {
            health.extend(self.consul().health(service).await?);
        }
        Ok(health)
    }

    /// SIGKILL.
    pub async fn kill(&self, name: &str) -> Result<(), Error> {
        self.unit(name)?.kill().await
    }

    /// SIGSTOP.
    pub fn pause(&self, name: &str) -> Result<(), Error> {
        self.unit(name)?.pause()
    }

    /// SIGCONT.
    pub fn resume(&self, name: &str) -> Result<(), Error> {
        self.unit(name)?.resume()
    }

    /// Starts it again on the same addresses (a living one is drained first), and waits until it is passing; how long that took.
    pub async fn restart(&self, name: &str) -> Result<Duration, Error> {
        let unit = self.unit(name)?;
        unit.stop(DRAIN).await;
        if name == consul::NAME {
            return self.consul_start(false).await;
        }
        let begin = Instant::now();
        self.instance(name)?.start()?;
        self.write_record()?;
        start::all_passing(self).await?;
        Ok(begin.elapsed())
    }

    /// Kills every service of a zone, never a gateway; their names.
    pub async fn zone_down(&self, zone: &str) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        for instance in self
            .zone(zone)?
            .into_iter()
            .filter(|instance| instance.unit.process().is_some())
        {
            instance.unit.kill().await?;
            names.push(instance.name().to_owned());
        }
        Ok(names)
    }

    /// Starts every service of a zone that does not run, and waits until all are passing.
    pub async fn zone_up(&self, zone: &str) -> Result<Duration, Error> {
        let begin = Instant::now();
        for instance in self
            .zone(zone)?
            .into_iter()
            .filter(|instance| instance.unit.process().is_none())
        {
            instance.start()?;
        }
        self.write_record()?;
        start::all_passing(self).await?;
        Ok(begin.elapsed())
    }

    /// Starts a killed Consul, with an empty disk when told so, and waits until all are registered again.
    pub async fn consul_start(&self, wipe: bool) -> Result<Duration, Error> {
        let begin = Instant::now();
        self.consul().start(wipe)?;
        self.write_record()?;
        self.consul().leader().await?;
        start::all_passing(self).await?;
        Ok(begin.elapsed())
    }

    /// Waits until everything that runs is registered and passing.
    pub async fn all_passing(&self) -> Result<(), Error> {
        start::all_passing(self).await
    }

    /// A trace as it is when no more of it arrives.
    pub async fn trace(&self, id: &str) -> Result<Trace, Error> {
        let sink = self.sink()?;
        let mut before = 0;
        let whole = wait::until("the trace", TRACE_ON_ITS_WAY, || {
            let trace = sink.trace(id);
            let (now, last) = (trace.as_ref().map_or(0, |trace| trace.spans.len()), before);
            before = now;
            async move {
                if now > 0
                    && now == last
                    && trace.as_ref().is_some_and(|trace| trace.roots().len() == 1)
                {
                    return trace.ok_or_else(String::new);
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
                Err(format!("{now} spans"))
            }
        });
        match whole.await {
            Ok(trace) => Ok(trace),
            // Some of it may never come: what is there is worth more than an error.
            Err(_) => sink
                .trace(id)
                .ok_or_else(|| Error::NoTrace { id: id.to_owned() }),
        }
    }

    /// The newest traces, the newest first.
    pub fn traces(&self, count: usize) -> Result<Vec<Trace>, Error> {
        self.sink().map(|sink| sink.newest(count))
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

    /// Ends everything in drain order: gateways, services, Consul; the names of those that had to be killed.
    pub async fn stop(self) -> Vec<String> {
        let parts = &self.0.parts;
        let mut killed = drain(&parts.gateways).await;
        killed.extend(drain(&parts.services).await);
        if !parts.consul.unit.stop(DRAIN).await {
            killed.push(consul::NAME.to_owned());
        }
        killed
    }

    /// Kills what runs, at once.
    pub(crate) fn abandon(&self) {
        self.0.parts.abandon();
    }

    pub(crate) fn unit(&self, name: &str) -> Result<&Unit, Error> {
        if name == consul::NAME {
            return Ok(&self.consul().unit);
        }
        self.instance(name).map(|instance| &*instance.unit)
    }

    fn sink(&self) -> Result<&Sink, Error> {
        let elsewhere =
            || Error::Other("traces go to the collector that was configured; ask there".to_owned());
        self.0.parts.sink.as_ref().ok_or_else(elsewhere)
    }

    fn zone(&self, zone: &str) -> Result<Vec<&Instance>, Error> {
        let found: Vec<&Instance> = self
            .0
            .parts
            .services
            .iter()
            .filter(|instance| instance.zone == zone)
            .collect();
        if found.is_empty() {
            let known: BTreeSet<&str> = self
                .0
                .parts
                .services
                .iter()
                .map(|instance| instance.zone.as_str())
                .collect();
            let known = known.into_iter().collect::<Vec<_>>().join(", ");
            return Err(Error::UnknownZone {
                name: zone.to_owned(),
                known,
            });
        }
        Ok(found)
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
            .chain([&self.consul.unit]);
        for process in units.filter_map(|unit| unit.process()) {
            process.signal(Signal::SIGKILL);
        }
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        self.abandon();
    }
}

async fn drain(instances: &[Instance]) -> Vec<String> {
    let stops = instances
        .iter()
        .map(|instance| async { (instance.name().to_owned(), instance.unit.stop(DRAIN).await) });
    let done = futures_util::future::join_all(stops).await;
    done.into_iter()
        .filter(|(_, by_itself)| !by_itself)
        .map(|(name, _)| name)
        .collect()
}
