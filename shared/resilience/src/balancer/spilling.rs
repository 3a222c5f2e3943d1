//! Looking at the load, from time to time and on the way of a pick, and moving what is spilled.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::table::{Members, ZoneSeats};
use super::{Balancer, Writer};
use crate::endpoint::Zone;
use crate::spill::Load;

/// What is sent out of the caller's zone for being busy, and when that was last looked at.
#[derive(Debug, Default)]
pub(super) struct Spilling {
    fraction: f64,
    looked: Option<u64>,
}

/// One zone, as one caller sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct ZoneStatus {
    /// Which.
    pub zone: Zone,
    /// Its capacity, in ordinary instances.
    pub capacity: f64,
    /// The part of the calls that goes there, from 0 to 1.
    pub share: f64,
    /// This caller's calls in flight there, per ordinary instance.
    pub load: f64,
}

/// How often the load is looked at: a step is 0.25 a second, so that shares move in fortieths.
const LOOK: u64 = Duration::from_millis(100).as_nanos() as u64;

/// Endpoints of a zone that are looked at: enough for a mean, few enough not to matter at fifty thousand.
const MEAN_OF: usize = 64;

impl Spilling {
    pub(super) fn fraction(&self) -> f64 {
        self.fraction
    }
}

impl Balancer {
    /// Looks at the load and moves what is spilled; whether it moved.
    pub(super) fn look(&self, members: &Members, writer: &mut Writer, stamp: u64) -> bool {
        let Writer {
            spilling, capacity, ..
        } = writer;
        let before = spilling.fraction;
        let elsewhere = capacity
            .iter()
            .any(|(zone, capacity)| *zone != self.local && *capacity > 0.0);
        if !elsewhere {
            *spilling = Spilling::default();
            self.look_at.store(u64::MAX, Ordering::Relaxed);
            return before > 0.0;
        }
        self.look_at
            .store(stamp.saturating_add(LOOK), Ordering::Relaxed);
        let looked = spilling.looked.replace(stamp).unwrap_or(stamp);
        let here = capacity.get(&self.local).copied().unwrap_or(0.0);
        spilling.fraction = if here > 0.0 {
            let callers = writer.callers.get(&self.local).copied().unwrap_or(1);
            let elapsed = Duration::from_nanos(stamp.saturating_sub(looked));
            let load = self.load(members, capacity, stamp);
            self.config.spill.next(before, load, callers, elapsed)
        } else {
            // Everything has left; when somebody is back, it comes home step by step.
            1.0
        };
        (spilling.fraction - before).abs() > f64::EPSILON
    }

    pub(super) fn zone_status(&self, stamp: u64) -> Vec<ZoneStatus> {
        let writer = self.write();
        let table = self.table.load();
        let zones = table.members.zones();
        let mut lower = 0.0;
        let mut shares = vec![0.0; zones.len()];
        for bound in &table.shares {
            shares[bound.zone] += bound.upto - lower;
            lower = bound.upto;
        }
        let status = zones.iter().zip(shares).map(|(seats, share)| ZoneStatus {
            zone: seats.zone.clone(),
            capacity: writer.capacity.get(&seats.zone).copied().unwrap_or(0.0),
            share,
            load: self.load_of(seats, stamp),
        });
        let mut status: Vec<ZoneStatus> = status.collect();
        status.sort_by_key(|zone| (zone.zone != self.local, zone.zone.clone()));
        status
    }

    fn load(
        &self,
        members: &Members,
        capacity: &std::collections::BTreeMap<Zone, f64>,
        stamp: u64,
    ) -> Load {
        let total: f64 = capacity.values().sum();
        let mut load = Load::default();
        for zone in members.zones() {
            let capacity = capacity.get(&zone.zone).copied().unwrap_or(0.0);
            let busy = self.load_of(zone, stamp);
            load.overall += busy * capacity / total;
            if zone.zone == self.local {
                load.local = busy;
            }
        }
        load
    }

    /// Calls in flight per ordinary instance, over a sample of those that are in use.
    fn load_of(&self, zone: &ZoneSeats, stamp: u64) -> f64 {
        let step = zone.seats.len().div_ceil(MEAN_OF).max(1);
        let sample = zone.seats.iter().step_by(step);
        let used = sample.filter(|seat| seat.node.in_use() && seat.node.resting(stamp).is_none());
        let (calls, weight) = used.fold((0.0, 0.0), |(calls, weight), seat| {
            let in_flight = seat.node.in_flight.load(Ordering::Relaxed);
            (
                calls + f64::from(in_flight),
                weight + seat.weight(stamp, self.slow_start),
            )
        });
        if weight > 0.0 { calls / weight } else { 0.0 }
    }
}
