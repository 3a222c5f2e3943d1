//! What watches a run, where it is wanted: Jaeger, which takes the spans, and Prometheus, which finds everything through Consul.
//!
//! They are not part of the system and end after it; only its start waits for them, so that they see it from its first request.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::client::Client;
use crate::error::Error;
use crate::jaeger::{self, Jaeger, Policy};
use crate::parts;
use crate::place::Place;
use crate::ports;
use crate::prometheus::{self, Neighbours, Prometheus};
use crate::reporter::Reporter;
use crate::unit::{State, Unit};
use crate::wait;

/// Usual are two seconds; a machine that builds beside it needs more.
const READY: Duration = Duration::from_secs(60);

/// One that can be wished for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Companion {
    Jaeger,
    /// The same server, with the policy for production.
    JaegerSampled,
    Prometheus,
}

/// Those of a run.
#[derive(Debug, Default)]
pub struct Companions {
    pub jaeger: Option<Jaeger>,
    pub prometheus: Option<Prometheus>,
}

impl FromStr for Companion {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            jaeger::NAME => Ok(Self::Jaeger),
            "jaeger-sampled" => Ok(Self::JaegerSampled),
            prometheus::NAME => Ok(Self::Prometheus),
            _ => Err("known are jaeger, jaeger-sampled and prometheus".to_owned()),
        }
    }
}

/// Of the Jaeger that is wished for, if one is.
pub(crate) fn policy(wanted: &BTreeSet<Companion>) -> Option<Policy> {
    match (
        wanted.contains(&Companion::JaegerSampled),
        wanted.contains(&Companion::Jaeger),
    ) {
        (true, _) => Some(Policy::Sampled),
        (false, true) => Some(Policy::Everything),
        (false, false) => None,
    }
}

/// Starts one; it answers a little later (`ready`).
pub(crate) fn spawn(unit: &Arc<Unit>) -> Result<(), Error> {
    let process = unit.start()?;
    unit.watch(process);
    Ok(())
}

/// Waits until one answers 200 at `path`.
pub(crate) async fn ready(unit: &Unit, client: &Client, path: &str) -> Result<(), Error> {
    wait::until(unit.name(), READY, || async {
        if let State::Ended(exit) = unit.state() {
            return Ok(Err(unit.died(exit)));
        }
        match client.get(path).await {
            Ok(answer) if answer.status == 200 => Ok(Ok(())),
            Ok(answer) => Err(format!("{} {}", answer.status, answer.text())),
            Err(failure) => Err(failure.to_string()),
        }
    })
    .await?
}

impl Companions {
    /// Brings what they need; nothing runs yet.
    pub async fn prepare(
        place: &Place,
        wanted: &BTreeSet<Companion>,
        consul: SocketAddr,
        well_known_ports: bool,
        reporter: &Reporter,
    ) -> Result<Self, Error> {
        let mut chosen = Self::default();
        let own = match well_known_ports {
            true => ports::preferred(9090),
            false => ports::any(),
        };
        let measures = wanted.contains(&Companion::Prometheus);
        if let Some(policy) = policy(wanted) {
            let binary = parts::JAEGER.get(place, reporter).await?;
            reporter.say(format!("jaeger {}", binary.way));
            let metrics = measures.then_some(own);
            let made = Jaeger::prepare(
                place,
                binary.path,
                policy,
                well_known_ports,
                metrics,
                reporter,
            );
            chosen.jaeger = Some(made);
        }
        if measures {
            let binary = parts::PROMETHEUS.get(place, reporter).await?;
            reporter.say(format!("prometheus {}", binary.way));
            let spans = chosen.jaeger.as_ref().map(Jaeger::span_metrics);
            let neighbours = Neighbours {
                consul,
                span_metrics: spans.unwrap_or_else(ports::any),
            };
            let made = Prometheus::prepare(place, binary.path, own, neighbours, reporter)?;
            chosen.prometheus = Some(made);
        }
        Ok(chosen)
    }

    /// Starts them; they answer a little later (`ready`).
    pub(crate) fn spawn(&self) -> Result<(), Error> {
        self.units().try_for_each(|(unit, _)| spawn(unit))
    }

    /// Waits for all of them.
    pub(crate) async fn ready(&self) -> Result<(), Error> {
        let jaeger = async {
            match &self.jaeger {
                Some(jaeger) => jaeger.ready().await,
                None => Ok(()),
            }
        };
        let prometheus = async {
            match &self.prometheus {
                Some(prometheus) => prometheus.ready().await,
                None => Ok(()),
            }
        };
        tokio::try_join!(jaeger, prometheus).map(|_| ())
    }

    pub fn units(&self) -> impl Iterator<Item = (&Arc<Unit>, SocketAddr)> {
        let jaeger = self.jaeger.iter().map(|one| (&one.unit, one.address()));
        let prometheus = self.prometheus.iter().map(|one| (&one.unit, one.address()));
        jaeger.chain(prometheus)
    }

    /// Ends them side by side; the names of those that had to be killed.
    pub async fn stop(&self) -> Vec<String> {
        let jaeger = async {
            let jaeger = self.jaeger.as_ref()?;
            (!jaeger.stop().await).then(|| jaeger::NAME.to_owned())
        };
        let prometheus = async {
            let prometheus = self.prometheus.as_ref()?;
            (!prometheus.stop().await).then(|| prometheus::NAME.to_owned())
        };
        let (jaeger, prometheus) = tokio::join!(jaeger, prometheus);
        jaeger.into_iter().chain(prometheus).collect()
    }
}
