//! Which endpoint gets a call.
//!
//! A zone is drawn by its share ([`crate::zone`]); in it two endpoints are drawn and the one with the lower cost is
//! taken, or, when the costs are within a factor of two, either in proportion to weight (`choose`).
//! State is keyed by instance id and survives every catalogue change: [`Balancer::update`] merges a snapshot as a
//! difference and swaps the table whole, so that a reader sees the old set or the new, never a mix.
//! Ejected endpoints are left out; one of them gets a request again as a probe once its time is over.
//! Only when the registry calls nobody eligible, everybody who ever passed a check is tried ([`PickReason::Panic`]).
//! Weights count in units of an ordinary instance's, the median of the service: Consul's 10 for everybody are 1 each.
//! Waiting, counting and logging are the caller's business.

mod choose;
mod ejected;
mod latency;
mod node;
mod pick;
mod spilling;
mod table;
mod upkeep;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use rand::Rng;

use self::ejected::Ejected;
use self::node::{Epoch, Node};
pub use self::pick::{Ask, NoEndpoint, NoEndpointReason, Pick, PickReason};
use self::spilling::Spilling;
pub use self::spilling::ZoneStatus;
use self::table::{Members, Table};
use crate::breaker::{Breaker, BreakerConfig, Source, State, Transition};
use crate::classify::{Outcome, Verdict};
use crate::ejection::{self, Limit};
use crate::endpoint::{Endpoint, EndpointId, Snapshot, Zone};
use crate::spill::SpillConfig;

/// How endpoints are balanced and ejected.
#[derive(Clone, Debug, PartialEq)]
pub struct BalancerConfig {
    /// Time in which a new endpoint's weight rises from a tenth to the whole.
    pub slow_start: Duration,
    /// When the caller's zone is too busy.
    pub spill: SpillConfig,
    /// When an endpoint is ejected.
    pub ejection: BreakerConfig,
}

/// A change of one endpoint's breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ejection {
    /// Which endpoint.
    pub id: EndpointId,
    /// What changed.
    pub transition: Transition,
}

/// What an endpoint looks like to the balancer.
#[derive(Clone, Debug)]
pub struct EndpointStatus {
    /// As the registry describes it.
    pub endpoint: Endpoint,
    /// Where its breaker stands.
    pub state: State,
    /// The last change of its breaker.
    pub last: Option<Transition>,
    /// While ejected: time until a probe.
    pub opens_for: Option<Duration>,
    /// Calls under way.
    pub in_flight: u32,
    /// Mean latency; none before its first answer.
    pub latency: Option<Duration>,
    /// Time for which it is the last choice.
    pub resting: Option<Duration>,
    /// Its slow start, from 0.1 to 1.
    pub ramp: f64,
}

/// The balancer of one upstream service, shared by all workers.
#[derive(Debug)]
pub struct Balancer {
    config: BalancerConfig,
    local: Zone,
    slow_start: u64,
    epoch: Epoch,
    table: ArcSwap<Table>,
    /// Held by whoever replaces the table.
    writer: Mutex<Writer>,
    /// The stamp at which the shares should be computed again: a ramp goes on, a rest ends, an ejection changed capacity.
    refresh_at: AtomicU64,
    /// The stamp at which the load should be looked at again.
    look_at: AtomicU64,
    /// The stamp before which they should not, whatever happens.
    settled_until: AtomicU64,
    ejected: Ejected,
    limit: Arc<Limit>,
}

#[derive(Debug, Default)]
struct Writer {
    callers: BTreeMap<Zone, u32>,
    started: bool,
    /// Each zone's, as of the last table.
    capacity: BTreeMap<Zone, f64>,
    spilling: Spilling,
}

impl Balancer {
    /// A balancer without endpoints, for a caller in zone `local`.
    #[must_use]
    pub fn new(config: BalancerConfig, local: Zone, now: Instant) -> Self {
        let nanoseconds = config.slow_start.as_nanos();
        Self {
            slow_start: u64::try_from(nanoseconds).unwrap_or(u64::MAX),
            config,
            local,
            epoch: Epoch::new(now),
            table: ArcSwap::from_pointee(Table::default()),
            writer: Mutex::default(),
            refresh_at: AtomicU64::new(u64::MAX),
            look_at: AtomicU64::new(u64::MAX),
            settled_until: AtomicU64::new(0),
            ejected: Ejected::default(),
            limit: Arc::default(),
        }
    }

    /// Takes over a new set of endpoints, and the callers in each zone.
    ///
    /// Endpoints that stay keep their state, those that left free what they held; drain rests end with it.
    pub fn update(
        &self,
        snapshot: &Snapshot,
        callers: &BTreeMap<Zone, u32>,
        now: Instant,
    ) -> Vec<Ejection> {
        let mut writer = self.write();
        let stamp = self.epoch.stamp(now);
        let before = self.table.load_full();
        let peers = before.members.median_latency(None, stamp);
        // The first set is not new: the caller is.
        let since = writer.started.then_some(stamp);
        let members = Members::merge(&before.members, snapshot, |endpoint| {
            let breaker = Breaker::limited(self.config.ejection.clone(), &self.limit);
            Node::new(endpoint.id.clone(), breaker, since, peers, stamp)
        });
        writer.started |= !snapshot.endpoints().is_empty();
        writer.callers.clone_from(callers);
        let changes = self.hold_the_limit(&before.members, &members, now);
        self.ejected.retain(|id| members.get(id).is_some());
        self.swap(Arc::new(members), &mut writer, stamp);
        changes
    }

    /// Picks an endpoint and takes a slot on it.
    ///
    /// # Errors
    /// [`NoEndpoint`] when nobody is known, nobody can be tried, or everybody is ejected.
    pub fn pick(&self, ask: &Ask<'_>, now: Instant, rng: &mut dyn Rng) -> Result<Pick, NoEndpoint> {
        let stamp = self.epoch.stamp(now);
        if (stamp >= self.refresh_at.load(Ordering::Relaxed)
            || stamp >= self.look_at.load(Ordering::Relaxed))
            && let Ok(mut writer) = self.writer.try_lock()
        {
            self.keep_up(&mut writer, stamp);
        }
        let table = self.table.load();
        let pick = self.choose(&table, ask, (now, stamp), rng)?;
        if let Some(transition) = pick.transition() {
            self.note(&table.members, pick.node(), transition, stamp);
        }
        Ok(pick)
    }

    /// Tells how the call ended (the response head is the end). The slot stays taken until the pick is dropped.
    pub fn settle(
        &self,
        pick: &mut Pick,
        outcome: &Outcome,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> Option<Ejection> {
        let permit = pick.take_permit()?;
        let elapsed = now.saturating_duration_since(pick.started());
        let node = pick.node();
        if let Some(sample) = outcome.sample(elapsed) {
            let penalty = outcome.verdict() != Verdict::Success;
            node.latency.record(sample, penalty, self.epoch.stamp(now));
        }
        let verdict = outcome.verdict();
        if let Verdict::Overloaded { rest } = verdict
            && !rest.is_zero()
        {
            node.rest_until(self.epoch.stamp(now + rest));
            self.refresh_soon();
        }
        let transition =
            node.breaker
                .settle(permit, verdict, elapsed, Source::default(), now, rng)?;
        Some(self.noted(node, transition, now))
    }

    /// Adds a failure to a call settled earlier: its body was cut short.
    pub fn late_failure(&self, pick: &Pick, now: Instant, rng: &mut dyn Rng) -> Option<Ejection> {
        let node = pick.node();
        let elapsed = now.saturating_duration_since(pick.started());
        if let Some(sample) = Outcome::BodyCut.sample(elapsed) {
            node.latency.record(sample, true, self.epoch.stamp(now));
        }
        let transition = node
            .breaker
            .late_failure(pick.receipt(), Source::default(), now, rng)?;
        Some(self.noted(node, transition, now))
    }

    /// Makes an endpoint the last choice until then.
    pub fn rest(&self, id: &EndpointId, until: Instant) {
        self.with_node(id, |node| node.rest_until(self.epoch.stamp(until)));
    }

    /// Makes an endpoint that says it is draining the last choice until then, or until the next update.
    pub fn rest_draining(&self, id: &EndpointId, until: Instant) {
        self.with_node(id, |node| node.drain_until(self.epoch.stamp(until)));
    }

    /// The caller's zone.
    #[must_use]
    pub fn local(&self) -> &Zone {
        &self.local
    }

    /// Each zone that has eligible endpoints, the caller's first.
    #[must_use]
    pub fn zones(&self, now: Instant) -> Vec<ZoneStatus> {
        self.zone_status(self.epoch.stamp(now))
    }

    /// Version of the snapshot in use.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.table.load().members.version()
    }

    /// Whether another endpoint than these is in use: eligible and not ejected.
    #[must_use]
    pub fn has_peers(&self, of: &[EndpointId]) -> bool {
        let table = self.table.load();
        let mut all = table.members.zones().iter().flat_map(|zone| &zone.seats);
        all.any(|seat| seat.node.in_use() && !of.contains(&seat.node.id))
    }

    /// Endpoints that are ejected now.
    #[must_use]
    pub fn ejected(&self) -> usize {
        self.ejected.len()
    }

    /// Everything there is to see, by id.
    #[must_use]
    pub fn status(&self, now: Instant) -> Vec<EndpointStatus> {
        let stamp = self.epoch.stamp(now);
        self.table
            .load()
            .members
            .seats()
            .map(|seat| seat.status(stamp, now, self.slow_start))
            .collect()
    }

    fn with_node(&self, id: &EndpointId, change: impl FnOnce(&Node)) {
        if let Some(seat) = self.table.load().members.get(id) {
            change(&seat.node);
            self.refresh_soon();
        }
    }

    fn write(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for BalancerConfig {
    fn default() -> Self {
        Self {
            slow_start: Duration::from_secs(10),
            spill: SpillConfig::default(),
            ejection: ejection::config(),
        }
    }
}
