//! What every pick reads: the seats by zone, and each zone's share.
//!
//! [`Members`] change with a snapshot, the shares also when a ramp goes on, a rest ends or an ejection begins or ends;
//! both are replaced together, never changed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::PickReason;
use super::node::{Candidate, Node, Seat};
use crate::endpoint::{Endpoint, EndpointId, Snapshot, Zone};
use crate::zone;

#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) members: Arc<Members>,
    /// Rising bounds in 0..=1.
    pub(super) shares: Vec<Bound>,
}

#[derive(Debug)]
pub(super) struct Bound {
    pub(super) upto: f64,
    pub(super) zone: usize,
    pub(super) reason: PickReason,
}

#[derive(Debug, Default)]
pub(super) struct Members {
    version: u64,
    seats: Vec<Arc<Seat>>,
    by_id: HashMap<EndpointId, usize>,
    zones: Vec<ZoneSeats>,
    eligible: usize,
    /// The weight that counts as one: an ordinary instance's.
    unit: f64,
    panic: Vec<Candidate>,
}

/// The eligible seats of one zone.
#[derive(Debug)]
pub(super) struct ZoneSeats {
    pub(super) zone: Zone,
    pub(super) seats: Vec<Candidate>,
}

/// How often a ramp moves the shares: fifty steps in the usual slow start.
const RAMP_STEP: u64 = Duration::from_millis(200).as_nanos() as u64;

/// Peers looked at for a median: enough for a starting value, few enough not to matter at fifty thousand.
const MEDIAN_OF: usize = 64;

impl Table {
    pub(super) fn new(members: Arc<Members>, shares: Vec<zone::Share>) -> Self {
        let mut upto = 0.0;
        let shares = shares.into_iter().filter_map(|share| {
            upto += share.fraction;
            let zone = members
                .zones
                .iter()
                .position(|zone| zone.zone == share.zone)?;
            Some(Bound {
                upto,
                zone,
                reason: share.reason,
            })
        });
        let shares = shares.collect();
        Self { members, shares }
    }
}

impl Members {
    /// The snapshot's endpoints with the state of those known before.
    pub(super) fn merge(
        before: &Self,
        snapshot: &Snapshot,
        create: impl Fn(&Endpoint) -> Arc<Node>,
    ) -> Self {
        let mut members = Self {
            version: snapshot.version(),
            unit: f64::from(snapshot.ordinary_weight()),
            ..Self::default()
        };
        for endpoint in snapshot.endpoints() {
            let known = before.get(&endpoint.id);
            let passed = known.is_some_and(|seat| seat.endpoint.ever_passed) || endpoint.eligible();
            let endpoint = Endpoint {
                ever_passed: endpoint.ever_passed || passed,
                ..endpoint.clone()
            };
            let seat = match known {
                Some(seat) if seat.endpoint == endpoint => Arc::clone(seat),
                Some(seat) => Seat::new(endpoint, Arc::clone(&seat.node)),
                None => Seat::new(endpoint.clone(), create(&endpoint)),
            };
            seat.node.drain_until(0);
            members.add(seat);
        }
        if members.eligible == 0 {
            members.panic = members
                .seats
                .iter()
                .filter(|seat| seat.endpoint.ever_passed)
                .map(|seat| Candidate::new(seat, members.unit))
                .collect();
        }
        members
    }

    /// The capacity of each zone, and the stamp at which it should be computed again.
    pub(super) fn capacity(&self, stamp: u64, slow_start: u64) -> (BTreeMap<Zone, f64>, u64) {
        let mut next = u64::MAX;
        let mut capacity = BTreeMap::new();
        for zone in &self.zones {
            let sum = capacity.entry(zone.zone.clone()).or_insert(0.0);
            for seat in &zone.seats {
                if let Some(until) = seat.node.resting(stamp) {
                    next = next.min(until);
                } else if seat.node.in_use() {
                    *sum += seat.weight(stamp, slow_start);
                }
                if seat.node.ramp(stamp, slow_start) < 1.0 {
                    next = next.min(stamp + RAMP_STEP);
                }
            }
        }
        (capacity, next)
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// All seats, by id.
    pub(super) fn seats(&self) -> impl Iterator<Item = &Arc<Seat>> {
        self.seats.iter()
    }

    pub(super) fn get(&self, id: &EndpointId) -> Option<&Arc<Seat>> {
        self.by_id.get(id).map(|at| &self.seats[*at])
    }

    /// The zones that have eligible seats.
    pub(super) fn zones(&self) -> &[ZoneSeats] {
        &self.zones
    }

    pub(super) fn len(&self) -> usize {
        self.seats.len()
    }

    pub(super) fn eligible(&self) -> usize {
        self.eligible
    }

    /// Who may be tried when nobody is eligible.
    pub(super) fn panic(&self) -> &[Candidate] {
        &self.panic
    }

    /// The mean latency in the middle of a sample of the endpoints in use (but that one), in seconds.
    pub(super) fn median_latency(&self, but: Option<&EndpointId>, stamp: u64) -> Option<f64> {
        let step = self.seats.len().div_ceil(MEDIAN_OF).max(1);
        let used = self
            .seats
            .iter()
            .step_by(step)
            .filter(|seat| seat.endpoint.eligible());
        let used = used.filter(|seat| Some(&seat.node.id) != but && seat.node.in_use());
        let mut known: Vec<f64> = used
            .filter_map(|seat| seat.node.latency.read(stamp))
            .collect();
        let middle = known.len() / 2;
        (!known.is_empty()).then(|| *known.select_nth_unstable_by(middle, f64::total_cmp).1)
    }

    fn add(&mut self, seat: Arc<Seat>) {
        self.by_id
            .insert(seat.endpoint.id.clone(), self.seats.len());
        if seat.endpoint.eligible() {
            self.eligible += 1;
            let zone = &seat.endpoint.zone;
            let at = self
                .zones
                .iter()
                .position(|known| known.zone == *zone)
                .unwrap_or_else(|| {
                    self.zones.push(ZoneSeats {
                        zone: zone.clone(),
                        seats: Vec::new(),
                    });
                    self.zones.len() - 1
                });
            self.zones[at].seats.push(Candidate::new(&seat, self.unit));
        }
        self.seats.push(seat);
    }
}
