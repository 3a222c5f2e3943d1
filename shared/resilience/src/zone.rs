//! How much of the traffic stays in the caller's zone.
//!
//! The goal: stay local while local capacity suffices, spill the excess, and never overload a zone to avoid crossing.
//! It works from one instance per zone and one caller, because it compares capacity with the callers' shares instead
//! of asking for a minimum of hosts.
//! This file turns capacities and callers into shares; which endpoint of a zone gets a call is [`crate::balancer`]'s.

use std::collections::BTreeMap;

use crate::balancer::PickReason;
use crate::endpoint::Zone;

/// The part of the calls that goes to one zone, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// Where it goes.
    pub zone: Zone,
    /// How much, from 0 to 1; all shares add up to 1.
    pub fraction: f64,
    /// Why there.
    pub reason: PickReason,
}

/// Less than this is rounding, not a share.
const ROUNDING: f64 = 1e-9;

/// The shares of a caller in zone `local`; none when there is no capacity anywhere.
///
/// `capacity` is each zone's sum of weights in use, `callers` the callers in each zone (the caller itself always
/// counts), and `spilled` the fraction of the local share that local load sends away, from 0 to 1.
#[must_use]
pub fn shares(
    local: &Zone,
    capacity: &BTreeMap<Zone, f64>,
    callers: &BTreeMap<Zone, u32>,
    spilled: f64,
) -> Vec<Share> {
    let total: f64 = capacity.values().sum();
    if total <= 0.0 {
        return Vec::new();
    }
    let callers = fractions(local, callers);
    let here = capacity.get(local).copied().unwrap_or(0.0) / total;
    let away = residuals(local, capacity, &callers, total);
    let mut shares = Vec::new();
    let mut send = |fraction: f64, reason: PickReason| {
        for (zone, part) in away.iter().filter(|_| fraction > ROUNDING) {
            shares.push(Share {
                zone: (*zone).clone(),
                fraction: fraction * part,
                reason,
            });
        }
    };
    if here <= 0.0 {
        send(1.0, PickReason::NoLocal);
        return shares;
    }
    let stay = if away.is_empty() || callers.len() == 1 {
        1.0
    } else {
        (here / callers.get(local).copied().unwrap_or(1.0)).min(1.0)
    };
    let spilled = if away.is_empty() {
        0.0
    } else {
        stay * spilled.clamp(0.0, 1.0)
    };
    send(1.0 - stay, PickReason::SpillCapacity);
    send(spilled, PickReason::SpillLoad);
    shares.insert(
        0,
        Share {
            zone: local.clone(),
            fraction: stay - spilled,
            reason: PickReason::Local,
        },
    );
    shares.retain(|share| share.fraction > ROUNDING);
    shares
}

/// The callers' fraction in each zone that has any.
fn fractions<'a>(local: &'a Zone, callers: &'a BTreeMap<Zone, u32>) -> BTreeMap<&'a Zone, f64> {
    let mut counts: BTreeMap<&Zone, u32> =
        callers.iter().map(|(zone, count)| (zone, *count)).collect();
    let own = counts.entry(local).or_insert(0);
    *own = (*own).max(1);
    counts.retain(|_, count| *count > 0);
    let total: f64 = counts.values().map(|count| f64::from(*count)).sum();
    counts
        .into_iter()
        .map(|(zone, count)| (zone, f64::from(count) / total))
        .collect()
}

/// How traffic that leaves is divided: by what each zone has beyond its own callers' needs, else by its capacity.
fn residuals<'a>(
    local: &Zone,
    capacity: &'a BTreeMap<Zone, f64>,
    callers: &BTreeMap<&Zone, f64>,
    total: f64,
) -> Vec<(&'a Zone, f64)> {
    let others = || {
        capacity
            .iter()
            .filter(|(zone, capacity)| *zone != local && **capacity > 0.0)
    };
    let mut parts: Vec<(&Zone, f64)> = others()
        .map(|(zone, capacity)| {
            (
                zone,
                (capacity / total - callers.get(zone).copied().unwrap_or(0.0)).max(0.0),
            )
        })
        .collect();
    if parts.iter().all(|(_, part)| *part <= ROUNDING) {
        parts = others().map(|(zone, capacity)| (zone, *capacity)).collect();
    }
    parts.retain(|(_, part)| *part > ROUNDING);
    let sum: f64 = parts.iter().map(|(_, part)| part).sum();
    parts.iter_mut().for_each(|(_, part)| *part /= sum);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zones<T: Copy>(of: &[(&str, T)]) -> BTreeMap<Zone, T> {
        of.iter()
            .map(|(name, value)| (Zone::new(name), *value))
            .collect()
    }

    fn show(
        local: &str,
        capacity: &[(&str, f64)],
        callers: &[(&str, u32)],
        spilled: f64,
    ) -> Vec<String> {
        shares(
            &Zone::new(local),
            &zones(capacity),
            &zones(callers),
            spilled,
        )
        .iter()
        .map(|share| {
            format!(
                "{} {:.3} {}",
                share.zone,
                share.fraction,
                share.reason.as_str()
            )
        })
        .collect()
    }

    #[test]
    fn one_caller_stays_local_however_small_its_zone() {
        assert_eq!(
            show("a", &[("a", 1.0), ("b", 9.0)], &[], 0.0),
            ["a 1.000 local"]
        );
    }

    #[test]
    fn even_zones_stay_at_home() {
        let capacity = [("a", 2.0), ("b", 2.0)];
        assert_eq!(
            show("a", &capacity, &[("a", 1), ("b", 1)], 0.0),
            ["a 1.000 local"]
        );
    }

    #[test]
    fn a_small_zone_spills_what_it_cannot_take() {
        let capacity = [("a", 1.0), ("b", 3.0)];
        let callers = [("a", 1), ("b", 1)];
        assert_eq!(
            show("a", &capacity, &callers, 0.0),
            ["a 0.500 local", "b 0.500 spill_capacity"]
        );
        assert_eq!(show("b", &capacity, &callers, 0.0), ["b 1.000 local"]);
    }

    #[test]
    fn without_local_capacity_everything_goes_to_what_is_left_over() {
        let capacity = [("a", 0.0), ("b", 1.0), ("c", 2.0)];
        let callers = [("a", 1), ("b", 1), ("c", 1)];
        assert_eq!(show("a", &capacity, &callers, 0.0), ["c 1.000 no_local"]);
        assert_eq!(
            show("a", &capacity, &[], 0.0),
            ["b 0.333 no_local", "c 0.667 no_local"]
        );
    }

    #[test]
    fn load_moves_a_part_of_the_local_share() {
        let capacity = [("a", 1.0), ("b", 1.0)];
        assert_eq!(
            show("a", &capacity, &[], 0.25),
            ["a 0.750 local", "b 0.250 spill_load"]
        );
        assert_eq!(show("a", &[("a", 1.0)], &[], 0.25), ["a 1.000 local"]);
    }

    #[test]
    fn nothing_anywhere_is_no_share() {
        assert!(show("a", &[("a", 0.0)], &[("a", 1)], 0.0).is_empty());
    }
}
