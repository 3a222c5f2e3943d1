//! What keeps a balancer's state in line after a change: the limit on ejections, the list of those out, the shares.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::node::Node;
use super::table::{Members, Table};
use super::{Balancer, Ejection, Writer};
use crate::breaker::{State, Transition};
use crate::zone;

/// Nanoseconds between two computations of the shares, for each endpoint: a tenth of one core at the worst, when
/// thousands are ejected one by one, and no delay at all for a few.
const EACH: u64 = 500;

impl Balancer {
    /// Makes the ejections fit a changed set: those of ineligible endpoints count no more, and what a smaller set may
    /// not have out comes back.
    pub(super) fn hold_the_limit(
        &self,
        before: &Members,
        members: &Members,
        now: Instant,
    ) -> Vec<Ejection> {
        self.limit.resize(members.eligible());
        let mut changes = Vec::new();
        let mut change = |node: &Arc<Node>, transition: Option<Transition>| {
            if let Some(transition) = transition {
                self.ejected.note(node);
                let id = node.id.clone();
                changes.push(Ejection { id, transition });
            }
        };
        let gone = before
            .seats()
            .filter(|seat| members.get(&seat.endpoint.id).is_none());
        for seat in gone {
            // Calls to it may still run; what becomes of them is no concern of those that stay.
            seat.node.breaker.count_in_limit(false, now);
        }
        for seat in members.seats() {
            let was = before
                .get(&seat.endpoint.id)
                .map(|seat| seat.endpoint.eligible());
            let is = seat.endpoint.eligible();
            if is && was == Some(false) {
                seat.node.breaker.allow_probe(now);
            }
            if was != Some(is) {
                change(&seat.node, seat.node.breaker.count_in_limit(is, now));
            }
        }
        for seat in members.seats() {
            if self.limit.excess() == 0 {
                break;
            }
            change(&seat.node, seat.node.breaker.release(now));
        }
        changes
    }

    /// Does what is due by now: new capacities, or a look at the load.
    pub(super) fn keep_up(&self, writer: &mut Writer, stamp: u64) {
        let members = Arc::clone(&self.table.load().members);
        if stamp >= self.refresh_at.load(Ordering::Relaxed) {
            self.swap(members, writer, stamp);
        } else if self.look(&members, writer, stamp) {
            self.share_out(members, writer);
        }
    }

    /// Computes capacities and shares, and puts the table in place.
    pub(super) fn swap(&self, members: Arc<Members>, writer: &mut Writer, stamp: u64) {
        let pause = EACH * u64::try_from(members.len()).unwrap_or(u64::MAX);
        self.settled_until
            .store(stamp.saturating_add(pause), Ordering::Relaxed);
        self.refresh_at.store(u64::MAX, Ordering::Relaxed);
        let (capacity, next) = members.capacity(stamp, self.slow_start);
        writer.capacity = capacity;
        self.refresh_at.fetch_min(next, Ordering::Relaxed);
        self.look(&members, writer, stamp);
        self.share_out(members, writer);
    }

    fn share_out(&self, members: Arc<Members>, writer: &Writer) {
        let spilled = writer.spilling.fraction();
        let shares = zone::shares(&self.local, &writer.capacity, &writer.callers, spilled);
        self.table.store(Arc::new(Table::new(members, shares)));
    }

    /// Has the shares computed again with the next pick, or a little later in a large set.
    pub(super) fn refresh_soon(&self) {
        let soon = self.settled_until.load(Ordering::Relaxed);
        self.refresh_at.fetch_min(soon, Ordering::Relaxed);
    }

    /// Takes note of a change of an endpoint's breaker.
    pub(super) fn note(
        &self,
        members: &Members,
        node: &Arc<Node>,
        transition: &Transition,
        stamp: u64,
    ) {
        let known = members
            .get(&node.id)
            .is_some_and(|seat| Arc::ptr_eq(&seat.node, node));
        if !known {
            return;
        }
        self.ejected.note(node);
        self.refresh_soon();
        if transition.to == State::Closed {
            // What it was like before it was ejected says nothing about what it is like now.
            let peers = members.median_latency(Some(&node.id), stamp);
            node.latency.restart(peers, stamp);
        }
    }

    pub(super) fn noted(&self, node: &Arc<Node>, transition: Transition, now: Instant) -> Ejection {
        let stamp = self.epoch.stamp(now);
        self.note(&self.table.load().members, node, &transition, stamp);
        Ejection {
            id: node.id.clone(),
            transition,
        }
    }
}
