//! What is to run: how many of what, where, with which settings.
//!
//! The defaults are those of a test: one instance of each service in two zones, one gateway, free ports, an empty state directory.
//! `cargo stack up` changes them to well-known ports and data that stays.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::binaries::SERVICES;
use crate::companions::{self, Companion};
use crate::error::Error;
use crate::reporter::Reporter;
use crate::stack::Stack;
use crate::start;

/// Collects the wishes; `start` fulfils them.
#[derive(Clone, Debug)]
pub struct Builder {
    pub(crate) state: String,
    pub(crate) instances: usize,
    pub(crate) in_zone: BTreeMap<String, usize>,
    pub(crate) gateways: usize,
    pub(crate) zones: Vec<String>,
    pub(crate) services: Vec<String>,
    pub(crate) binaries: Option<PathBuf>,
    pub(crate) build: bool,
    pub(crate) show_build: bool,
    pub(crate) fresh: bool,
    pub(crate) well_known_ports: bool,
    pub(crate) otlp: Option<String>,
    pub(crate) companions: BTreeSet<Companion>,
    pub(crate) extra: Vec<(Option<String>, String, String)>,
    pub(crate) reporter: Reporter,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            state: "stack-test".to_owned(),
            instances: 1,
            in_zone: BTreeMap::new(),
            gateways: 1,
            zones: vec!["a".to_owned(), "b".to_owned()],
            services: SERVICES.iter().map(|name| (*name).to_owned()).collect(),
            binaries: None,
            build: std::env::var_os(crate::binaries::NO_BUILD).is_none(),
            show_build: false,
            fresh: true,
            well_known_ports: false,
            otlp: None,
            companions: BTreeSet::new(),
            extra: Vec::new(),
            reporter: Reporter::silent(),
        }
    }
}

impl Builder {
    /// The state directory, below the target directory; runs side by side need one each.
    pub fn state(mut self, name: impl Into<String>) -> Self {
        self.state = name.into();
        self
    }

    /// Of each service, in each zone.
    pub fn instances(mut self, count: usize) -> Self {
        self.instances = count;
        self
    }

    /// Of each service in this zone, whatever the others have.
    pub fn instances_in(mut self, zone: impl Into<String>, count: usize) -> Self {
        self.in_zone.insert(zone.into(), count);
        self
    }

    pub fn gateways(mut self, count: usize) -> Self {
        self.gateways = count;
        self
    }

    pub fn zones<Name: Into<String>>(mut self, names: impl IntoIterator<Item = Name>) -> Self {
        self.zones = names.into_iter().map(Into::into).collect();
        self
    }

    /// Only these services.
    pub fn services<Name: Into<String>>(mut self, names: impl IntoIterator<Item = Name>) -> Self {
        self.services = names.into_iter().map(Into::into).collect();
        self
    }

    /// Run what is in this folder, instead of what cargo builds with the profile `native`.
    pub fn binaries(mut self, folder: impl Into<PathBuf>) -> Self {
        self.binaries = Some(folder.into());
        self
    }

    /// Whether cargo is asked first; else the binaries must be there.
    pub fn build(mut self, yes: bool) -> Self {
        self.build = yes;
        self
    }

    /// Whether cargo's own progress goes to the terminal.
    pub fn show_build(mut self, yes: bool) -> Self {
        self.show_build = yes;
        self
    }

    /// Whether the databases of an earlier run are thrown away.
    pub fn fresh(mut self, yes: bool) -> Self {
        self.fresh = yes;
        self
    }

    /// 8080 and the others, where they are free.
    pub fn well_known_ports(mut self, yes: bool) -> Self {
        self.well_known_ports = yes;
        self
    }

    /// A collector to send traces to, instead of the runner's own sink.
    pub fn otlp(mut self, endpoint: impl Into<String>) -> Self {
        self.otlp = Some(endpoint.into());
        self
    }

    /// What watches it; with Jaeger, spans go there.
    pub fn with(mut self, companions: impl IntoIterator<Item = Companion>) -> Self {
        self.companions.extend(companions);
        self
    }

    /// A setting for every process, as in the environment: `LICTOR_SECTION__KEY`.
    pub fn set(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.extra.push((None, key.into(), value.into()));
        self
    }

    /// A setting for all instances of one service (or of the gateway), or for the one instance of that name.
    pub fn set_for(
        mut self,
        name: impl Into<String>,
        key: impl Into<String>,
        value: impl Into<String>,
    ) -> Self {
        self.extra
            .push((Some(name.into()), key.into(), value.into()));
        self
    }

    pub fn reporter(mut self, reporter: Reporter) -> Self {
        self.reporter = reporter;
        self
    }

    /// Brings it up and waits until everything is registered, passing, and answering through the gateway.
    pub async fn start(self) -> Result<Stack, Error> {
        self.check()?;
        start::start(self).await
    }

    pub(crate) fn instances_of(&self, zone: &str) -> usize {
        self.in_zone.get(zone).copied().unwrap_or(self.instances)
    }

    fn check(&self) -> Result<(), Error> {
        let bad = |what: &str| Err(Error::Other(what.to_owned()));
        let good_name = |zone: &String| {
            let fits = (1..=32).contains(&zone.len());
            fits && zone
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        };
        if self.instances == 0 || self.gateways == 0 || self.zones.is_empty() {
            return bad("at least one instance, one gateway and one zone are needed");
        }
        if !self.zones.iter().all(good_name) {
            return bad("a zone's name is 1 to 32 of a-z, 0-9 and -");
        }
        if self.otlp.is_some() && companions::policy(&self.companions).is_some() {
            return bad("spans go to one collector: --otlp, or --with jaeger");
        }
        let distinct: BTreeSet<_> = self.zones.iter().collect();
        if distinct.len() < self.zones.len() {
            return bad("each zone can be named once");
        }
        match self
            .services
            .iter()
            .find(|name| !SERVICES.contains(&name.as_str()))
        {
            Some(name) => bad(&format!(
                "there is no service {name}; known: {}",
                SERVICES.join(", ")
            )),
            None => Ok(()),
        }
    }
}
