//! The limits as an operator sees them: what each allows, how many clients it tells apart, what it decided.

use std::sync::atomic::Ordering;

use resilience::limiter::{Limiter, Rate};
use serde::Serialize;

use super::{ADDRESS, Decisions, Limits};

/// All limits.
#[derive(Debug, Serialize)]
pub struct Status<'a> {
    /// Healthy gateways that share each quota: a request is charged as many times.
    pub gateways: u32,
    pub groups: Vec<Group<'a>>,
}

/// One limit.
#[derive(Debug, Serialize)]
pub struct Group<'a> {
    pub name: &'a str,
    /// So many requests...
    pub requests: u32,
    /// ...in so much time, for all gateways together.
    pub per_ms: u128,
    pub burst: u32,
    /// Clients that are told apart now.
    pub clients: usize,
    /// Keys with a quota of their own.
    pub own_quotas: usize,
    /// Since the start.
    pub admitted: u64,
    pub refused: u64,
}

impl Limits {
    /// What there is to see.
    pub fn status(&self) -> Status<'_> {
        let address = group(
            ADDRESS,
            self.address.rate(),
            self.address.len(),
            0,
            &self.address_decisions,
        );
        let mut groups: Vec<Group<'_>> = self
            .groups
            .values()
            .map(|one| {
                let own: usize = one.own.values().map(Limiter::len).sum();
                group(
                    &one.name,
                    one.shared.rate(),
                    one.shared.len() + own,
                    one.own.len(),
                    &one.decisions,
                )
            })
            .collect();
        groups.sort_unstable_by_key(|group| group.name);
        groups.insert(0, address);
        Status {
            gateways: self.gateways.load(Ordering::Relaxed),
            groups,
        }
    }
}

fn group<'a>(
    name: &'a str,
    rate: Rate,
    clients: usize,
    own_quotas: usize,
    decided: &Decisions,
) -> Group<'a> {
    Group {
        name,
        requests: rate.cells.get(),
        per_ms: rate.per.as_millis(),
        burst: rate.burst.get(),
        clients,
        own_quotas,
        admitted: decided.admitted.get(),
        refused: decided.refused.get(),
    }
}
