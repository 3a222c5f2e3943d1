//! Who could be called: instances as the registry describes them, and the immutable set of them.
//!
//! An [`Endpoint`] says where an instance is and what the registry thinks of its health; how well it really answers is
//! the balancer's knowledge, not written here.
//! A [`Snapshot`] is swapped whole and never changed: it is sorted by id and no two of its endpoints share an address,
//! because two ids at one address are one process and its predecessor.
//! Translating Consul's answer into these types belongs to the `consul` crate.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// Identity of one start of one instance, `name-host-port-<boot>`: a restarted process is another endpoint.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId(Arc<str>);

/// A failure domain, such as an availability zone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Zone(Arc<str>);

/// The registry's opinion, best first: the worst of the node's and the service's checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// Every check passes.
    Passing,
    /// Some check warns: used, at [`Weights::warning`].
    Warning,
    /// Some check fails: not used.
    Critical,
    /// Taken out by an operator: not used.
    Maintenance,
}

/// How much of the traffic an instance can take, relative to its peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weights {
    /// Weight while the checks pass.
    pub passing: u32,
    /// Weight while a check warns.
    pub warning: u32,
}

/// One instance of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Identity; policy state is keyed by it.
    pub id: EndpointId,
    /// Where its API listens.
    pub address: SocketAddr,
    /// Port of its ops listener, where known.
    pub ops_port: Option<u16>,
    /// Where it runs.
    pub zone: Zone,
    /// What it runs.
    pub version: Arc<str>,
    /// Its capacity.
    pub weights: Weights,
    /// The registry's opinion of it.
    pub health: Health,
    /// Whether any check of it has ever passed: one that never did is not even tried in panic.
    pub ever_passed: bool,
}

/// All registered instances of one service at one time, whatever their health.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    version: u64,
    endpoints: Vec<Endpoint>,
}

impl Endpoint {
    /// Its weight in its present health; 0 when it may not be used.
    #[must_use]
    pub fn weight(&self) -> u32 {
        match self.health {
            Health::Passing => self.weights.passing,
            Health::Warning => self.weights.warning,
            Health::Critical | Health::Maintenance => 0,
        }
    }

    /// Whether the registry allows it to be used.
    #[must_use]
    pub fn eligible(&self) -> bool {
        self.weight() > 0
    }
}

impl Snapshot {
    /// Nothing known yet: version 0, no endpoints.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// A set at a given version. Of several endpoints at one address the healthiest stays, then the greatest id.
    #[must_use]
    pub fn new(version: u64, endpoints: Vec<Endpoint>) -> Self {
        let mut at: HashMap<SocketAddr, Endpoint> = HashMap::with_capacity(endpoints.len());
        for endpoint in endpoints {
            match at.get(&endpoint.address) {
                Some(kept) if better(kept, &endpoint) => {}
                _ => {
                    at.insert(endpoint.address, endpoint);
                }
            }
        }
        let mut endpoints: Vec<Endpoint> = at.into_values().collect();
        endpoints.sort_by(|one, other| one.id.cmp(&other.id).then(one.address.cmp(&other.address)));
        endpoints.dedup_by(|one, other| one.id == other.id);
        Self { version, endpoints }
    }

    /// The next version of this set: versions only rise.
    #[must_use]
    pub fn with(&self, endpoints: Vec<Endpoint>) -> Self {
        Self::new(self.version + 1, endpoints)
    }

    /// Number of this set; a later one is greater.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The instances, sorted by id, no two at one address.
    #[must_use]
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// The instance of that id.
    #[must_use]
    pub fn get(&self, id: &EndpointId) -> Option<&Endpoint> {
        let at = self
            .endpoints
            .binary_search_by(|endpoint| endpoint.id.cmp(id))
            .ok()?;
        self.endpoints.get(at)
    }

    /// What an ordinary instance weighs: the lower median over the eligible ones, as in good health; 1 without any.
    #[must_use]
    pub fn ordinary_weight(&self) -> u32 {
        let eligible = self.endpoints.iter().filter(|endpoint| endpoint.eligible());
        let mut weights: Vec<u32> = eligible.map(|endpoint| endpoint.weights.passing).collect();
        let middle = weights.len().saturating_sub(1) / 2;
        if weights.is_empty() {
            return 1;
        }
        (*weights.select_nth_unstable(middle).1).max(1)
    }

    /// Eligible instances by zone: for the callers' own service these are the callers in each zone.
    #[must_use]
    pub fn callers(&self) -> BTreeMap<Zone, u32> {
        let mut callers = BTreeMap::new();
        for endpoint in self.endpoints.iter().filter(|endpoint| endpoint.eligible()) {
            *callers.entry(endpoint.zone.clone()).or_insert(0) += 1;
        }
        callers
    }
}

impl EndpointId {
    /// The id of that name.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self(Arc::from(id))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Zone {
    /// The zone of that name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Health {
    /// The name, as Consul writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passing => "passing",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Maintenance => "maintenance",
        }
    }
}

impl Default for Weights {
    /// Consul's defaults.
    fn default() -> Self {
        Self {
            passing: 1,
            warning: 1,
        }
    }
}

impl fmt::Display for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn better(kept: &Endpoint, other: &Endpoint) -> bool {
    (kept.health, std::cmp::Reverse(&kept.id)) <= (other.health, std::cmp::Reverse(&other.id))
}
