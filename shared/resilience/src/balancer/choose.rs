//! Drawing a zone, then the better of two.
//!
//! `cost = ewma * (1 + in_flight / weight)`: at rest an endpoint costs its latency, and each call under way adds as
//! much again, less for one of more weight.
//! Costs within a factor of two are noise, and weight decides; beyond that the cheaper is taken.
//! Drawing is bounded, so that it takes the same time for three endpoints and for fifty thousand; only when a handful
//! of draws finds nobody the zone is searched.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rand::{Rng, RngExt};

use super::node::Candidate;
use super::table::{Bound, Table};
use super::{Ask, Balancer, NoEndpoint, NoEndpointReason, Pick, PickReason};
use crate::endpoint::Zone;

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
        (now, stamp): (Instant, u64),
        rng: &mut dyn Rng,
    ) -> Result<Pick, NoEndpoint> {
        if ask.idempotent
            && let Some(pick) = self.probe(table, ask, now, stamp)
        {
            return Ok(pick);
        }
        for _ in 0..RACES {
            let Some((candidate, reason)) = self.candidate(table, ask, stamp, rng) else {
                break;
            };
            if let Ok((permit, transition)) = candidate.node.breaker.try_acquire(now) {
                return Ok(Pick::new(
                    &candidate.seat,
                    reason,
                    permit,
                    transition,
                    now,
                    stamp,
                ));
            }
        }
        // Nobody is in use: whoever may be probed is a better chance than none, whatever the request.
        self.probe(table, ask, now, stamp)
            .ok_or_else(|| self.nobody(table, now))
    }

    fn probe(&self, table: &Table, ask: &Ask<'_>, now: Instant, stamp: u64) -> Option<Pick> {
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
            self.reason(table, &seat.endpoint.zone)
        };
        Some(Pick::new(seat, reason, permit, transition, now, stamp))
    }

    fn candidate<'a>(
        &self,
        table: &'a Table,
        ask: &Ask<'_>,
        stamp: u64,
        rng: &mut dyn Rng,
    ) -> Option<(&'a Candidate, PickReason)> {
        let zones = table.members.zones();
        if let Some(share) = draw(&table.shares, rng)
            && let Some(found) =
                self.best_of_two(&zones[share.zone].seats, Grade::Fresh, ask, stamp, rng)
        {
            return Some((found, share.reason));
        }
        for grade in [Grade::Fresh, Grade::Untried, Grade::Any] {
            let here = zones.iter().filter(|zone| zone.zone == self.local);
            for zone in here.chain(zones.iter().filter(|zone| zone.zone != self.local)) {
                if let Some(found) = self.best_of_two(&zone.seats, grade, ask, stamp, rng) {
                    return Some((found, self.reason(table, &zone.zone)));
                }
            }
            if let Some(found) = self.best_of_two(table.members.panic(), grade, ask, stamp, rng) {
                return Some((found, PickReason::Panic));
            }
        }
        None
    }

    fn best_of_two<'a>(
        &self,
        seats: &'a [Candidate],
        grade: Grade,
        ask: &Ask<'_>,
        stamp: u64,
        rng: &mut dyn Rng,
    ) -> Option<&'a Candidate> {
        let count = seats.len();
        let fits = |at: &usize| grade.admits(&seats[*at], ask, stamp);
        if count <= 1 {
            return seats.first().filter(|_| fits(&0));
        }
        let one = rng.random_range(0..count);
        let other = (one + rng.random_range(1..count)) % count;
        // Both are looked at in any case: two cache misses at once take the time of one.
        match (fits(&one), fits(&other)) {
            (true, true) => Some(self.better(&seats[one], &seats[other], stamp, rng)),
            (true, false) => self.with_second(seats, Some(one), one, &fits, stamp, rng),
            (false, true) => self.with_second(seats, Some(other), one, &fits, stamp, rng),
            (false, false) => self.with_second(seats, None, one, &fits, stamp, rng),
        }
    }

    /// The better of the one found and a second, or of any two: by search among a few, by some more draws among many.
    fn with_second<'a>(
        &self,
        seats: &'a [Candidate],
        found: Option<usize>,
        start: usize,
        fits: &dyn Fn(&usize) -> bool,
        stamp: u64,
        rng: &mut dyn Rng,
    ) -> Option<&'a Candidate> {
        let count = seats.len();
        let around = || {
            (0..count)
                .map(|step| (start + step) % count)
                .filter(|at| fits(at))
        };
        let mut two: Vec<usize> = found.into_iter().collect();
        if count <= FEW {
            two.extend(around().filter(|at| Some(*at) != found).take(2 - two.len()));
        } else {
            for _ in 0..DRAWS {
                let drawn = rng.random_range(0..count);
                if two.len() < 2 && !two.contains(&drawn) && fits(&drawn) {
                    two.push(drawn);
                }
            }
            if two.is_empty() {
                two.extend(around().take(1));
            }
        }
        match two[..] {
            [one, other] => Some(self.better(&seats[one], &seats[other], stamp, rng)),
            [one] => Some(&seats[one]),
            _ => None,
        }
    }

    fn better<'a>(
        &self,
        one: &'a Candidate,
        other: &'a Candidate,
        stamp: u64,
        rng: &mut dyn Rng,
    ) -> &'a Candidate {
        // Before its first answer an endpoint is taken to be like the one it is compared with.
        let read = (one.node.latency.read(stamp), other.node.latency.read(stamp));
        let (latency, its_latency) = match read {
            (Some(latency), Some(its)) => (latency, its),
            (Some(known), None) | (None, Some(known)) => (known, known),
            (None, None) => (1.0, 1.0),
        };
        let weight = one.weight(stamp, self.slow_start);
        let its_weight = other.weight(stamp, self.slow_start);
        let (cost, its_cost) = (
            cost(latency, one, weight),
            cost(its_latency, other, its_weight),
        );
        let take_one = if cost <= ALIKE * its_cost && its_cost <= ALIKE * cost {
            rng.random::<f64>() * (weight + its_weight) < weight
        } else {
            cost < its_cost
        };
        if take_one { one } else { other }
    }

    /// Why an endpoint found otherwise than by its zone's share is taken.
    fn reason(&self, table: &Table, zone: &Zone) -> PickReason {
        if *zone == self.local {
            return PickReason::Local;
        }
        let zones = table.members.zones();
        let share = table
            .shares
            .iter()
            .find(|share| zones[share.zone].zone == *zone);
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
    fn admits(self, candidate: &Candidate, ask: &Ask<'_>, stamp: u64) -> bool {
        let node = &candidate.node;
        let untried = || ask.tried.is_empty() || !ask.tried.contains(&node.id);
        match self {
            Self::Fresh => node.in_use() && node.resting(stamp).is_none() && untried(),
            Self::Untried => node.in_use() && untried(),
            Self::Any => node.in_use(),
        }
    }
}

fn draw<'a>(shares: &'a [Bound], rng: &mut dyn Rng) -> Option<&'a Bound> {
    if let [only] = shares {
        return Some(only);
    }
    let drawn: f64 = rng.random();
    shares
        .iter()
        .find(|share| share.upto > drawn)
        .or(shares.last())
}

fn cost(latency: f64, candidate: &Candidate, weight: f64) -> f64 {
    let in_flight = candidate.node.in_flight.load(Ordering::Relaxed);
    latency * (1.0 + f64::from(in_flight) / weight)
}
