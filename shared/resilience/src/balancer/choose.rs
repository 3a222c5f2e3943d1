//! Drawing a zone, then the better of two.
//!
//! `cost = ewma * (1 + in_flight / weight)`: at rest an endpoint costs its latency, and each call under way adds as
//! much again, less for one of more weight.
//! Costs within a factor of two are noise, and weight decides; beyond that the cheaper is taken.
//! Drawing is bounded, so that it takes the same time for three endpoints and for fifty thousand; only when a handful
//! of draws finds nobody the zone is searched.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rand::{Rng, RngExt};

use super::node::Seat;
use super::table::Table;
use super::{Ask, Balancer, NoEndpoint, NoEndpointReason, Pick, PickReason};

/// How good a candidate must be; later grades are for when there is no earlier one.
#[derive(Clone, Copy, Debug)]
enum Grade {
    /// In use, not resting, not tried.
    Fresh,
    /// In use, not tried.
    Untried,
    /// In use.
    Any,
}

/// Draws beyond the first two: with half a zone out, one in three hundred searches it.
const DRAWS: usize = 6;

/// A zone of this many is searched at once: that is cheaper than drawing.
const FEW: usize = 8;

/// Costs within this factor are taken for equal.
const ALIKE: f64 = 2.0;

/// Picks that may lose a race with an ejection before giving up.
const RACES: usize = 4;

/// When to ask again where nothing says when: about the time of a health check.
const LATER: Duration = Duration::from_secs(1);

impl Balancer {
    pub(super) fn choose(
        &self,
        table: &Table,
        ask: &Ask<'_>,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> Result<Pick, NoEndpoint> {
        if ask.idempotent
            && let Some(pick) = self.probe(table, ask, now)
        {
            return Ok(pick);
        }
        for _ in 0..RACES {
            let Some((seat, reason)) = self.candidate(table, ask, now, rng) else {
                break;
            };
            if let Ok((permit, transition)) = seat.node.breaker.try_acquire(now) {
                return Ok(Pick::new(seat, reason, permit, transition, now));
            }
        }
        // Nobody is in use: whoever may be probed is a better chance than none, whatever the request.
        self.probe(table, ask, now)
            .ok_or_else(|| self.nobody(table, now))
    }

    fn probe(&self, table: &Table, ask: &Ask<'_>, now: Instant) -> Option<Pick> {
        let node = self.ejected.due(now)?;
        let seat = table.members.get(&node.id)?;
        let panic = table.members.eligible() == 0 && seat.endpoint.ever_passed;
        if ask.tried.contains(&node.id) || !(seat.endpoint.eligible() || panic) {
            return None;
        }
        let (permit, transition) = seat.node.breaker.try_acquire(now).ok()?;
        let reason = if panic {
            PickReason::Panic
        } else {
            self.reason(table, seat)
        };
        Some(Pick::new(seat, reason, permit, transition, now))
    }

    fn candidate<'a>(
        &self,
        table: &'a Table,
        ask: &Ask<'_>,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> Option<(&'a Arc<Seat>, PickReason)> {
        let zones = table.members.zones();
        let drawn: f64 = rng.random();
        let share = table
            .shares
            .iter()
            .find(|share| share.upto > drawn)
            .or(table.shares.last());
        if let Some(share) = share
            && let Some(seat) =
                self.best_of_two(&zones[share.zone].seats, Grade::Fresh, ask, now, rng)
        {
            return Some((seat, share.reason));
        }
        for grade in [Grade::Fresh, Grade::Untried, Grade::Any] {
            let here = zones.iter().filter(|zone| zone.zone == self.local);
            for zone in here.chain(zones.iter().filter(|zone| zone.zone != self.local)) {
                if let Some(seat) = self.best_of_two(&zone.seats, grade, ask, now, rng) {
                    return Some((seat, self.reason(table, seat)));
                }
            }
            if let Some(seat) = self.best_of_two(table.members.panic(), grade, ask, now, rng) {
                return Some((seat, PickReason::Panic));
            }
        }
        None
    }

    fn best_of_two<'a>(
        &self,
        seats: &'a [Arc<Seat>],
        grade: Grade,
        ask: &Ask<'_>,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> Option<&'a Arc<Seat>> {
        let stamp = self.epoch.stamp(now);
        let fits = |at: &usize| grade.admits(&seats[*at], ask, stamp);
        let count = seats.len();
        if count <= 1 {
            return seats.first().filter(|_| fits(&0));
        }
        let one = rng.random_range(0..count);
        let other = (one + rng.random_range(1..count)) % count;
        let (mut found, mut second) = match (fits(&one), fits(&other)) {
            (true, true) => return Some(self.better(&seats[one], &seats[other], now, rng)),
            (true, false) => (Some(one), None),
            (false, true) => (Some(other), None),
            (false, false) => (None, None),
        };
        let mut offer = |at: usize| {
            match found {
                None => found = Some(at),
                Some(first) if first != at => second = Some(at),
                Some(_) => {}
            }
            second.is_some()
        };
        let searched = if count <= FEW {
            (0..count)
                .map(|step| (one + step) % count)
                .filter(fits)
                .any(&mut offer)
        } else {
            (0..DRAWS)
                .map(|_| rng.random_range(0..count))
                .filter(fits)
                .any(&mut offer)
        };
        if !searched && found.is_none() && count > FEW {
            found = (0..count).map(|step| (one + step) % count).find(fits);
        }
        match (found, second) {
            (Some(first), Some(second)) => {
                Some(self.better(&seats[first], &seats[second], now, rng))
            }
            (found, _) => found.map(|at| &seats[at]),
        }
    }

    fn better<'a>(
        &self,
        one: &'a Arc<Seat>,
        other: &'a Arc<Seat>,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> &'a Arc<Seat> {
        // Before its first answer an endpoint is taken to be like the one it is compared with.
        let (latency, its) = match (one.node.latency.read(now), other.node.latency.read(now)) {
            (Some(latency), Some(its)) => (latency, its),
            (Some(known), None) | (None, Some(known)) => (known, known),
            (None, None) => (1.0, 1.0),
        };
        let slow_start = self.config.slow_start;
        let (weight, its_weight) = (one.weight(now, slow_start), other.weight(now, slow_start));
        let cost = cost(latency, one, weight);
        let its = self::cost(its, other, its_weight);
        let take_one = if cost <= ALIKE * its && its <= ALIKE * cost {
            rng.random::<f64>() * (weight + its_weight) < weight
        } else {
            cost < its
        };
        if take_one { one } else { other }
    }

    /// Why a seat found otherwise than by its zone's share is taken.
    fn reason(&self, table: &Table, seat: &Seat) -> PickReason {
        if seat.endpoint.zone == self.local {
            return PickReason::Local;
        }
        let zones = table.members.zones();
        let share = table
            .shares
            .iter()
            .find(|share| zones[share.zone].zone == seat.endpoint.zone);
        share.map_or(PickReason::NoLocal, |share| share.reason)
    }

    fn nobody(&self, table: &Table, now: Instant) -> NoEndpoint {
        let members = &table.members;
        let reason = if members.seats().next().is_none() {
            NoEndpointReason::Unknown
        } else if members.eligible() == 0 && members.panic().is_empty() {
            NoEndpointReason::Unhealthy
        } else {
            NoEndpointReason::Ejected
        };
        let waits = members
            .seats()
            .take(DRAWS)
            .filter_map(|seat| seat.node.breaker.status(now).opens_for);
        NoEndpoint {
            reason,
            retry_after: waits.min().unwrap_or(LATER),
        }
    }
}

impl Grade {
    fn admits(self, seat: &Seat, ask: &Ask<'_>, stamp: u64) -> bool {
        let in_use = seat.node.breaker.is_closed();
        let untried = || !ask.tried.contains(&seat.endpoint.id);
        match self {
            Self::Fresh => in_use && untried() && seat.node.resting(stamp).is_none(),
            Self::Untried => in_use && untried(),
            Self::Any => in_use,
        }
    }
}

fn cost(latency: f64, seat: &Seat, weight: f64) -> f64 {
    latency * (1.0 + f64::from(seat.node.in_flight.load(Ordering::Relaxed)) / weight)
}
