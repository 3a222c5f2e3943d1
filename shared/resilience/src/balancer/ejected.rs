//! The endpoints that are ejected now, so that probes need not be found by chance.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::node::Node;
use crate::endpoint::EndpointId;

#[derive(Debug, Default)]
pub(super) struct Ejected {
    /// Kept beside the list: the usual answer, nobody, costs one load.
    count: AtomicUsize,
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    nodes: Vec<Arc<Node>>,
    cursor: usize,
}

/// Entries looked at for one request: picking stays flat however many are ejected.
const LOOKS: usize = 8;

impl Ejected {
    pub(super) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Brings the list in line with the node's breaker. It asks the breaker instead of being told, so that the last
    /// of two racing changes leaves the truth.
    pub(super) fn note(&self, node: &Arc<Node>) {
        let mut list = self.lock();
        let at = list.nodes.iter().position(|other| Arc::ptr_eq(other, node));
        match (at, node.look_at_breaker()) {
            (Some(at), true) => {
                list.nodes.swap_remove(at);
            }
            (None, false) => list.nodes.push(Arc::clone(node)),
            _ => {}
        }
        self.count.store(list.nodes.len(), Ordering::Relaxed);
    }

    pub(super) fn retain(&self, keep: impl Fn(&EndpointId) -> bool) {
        let mut list = self.lock();
        list.nodes.retain(|node| keep(&node.id));
        self.count.store(list.nodes.len(), Ordering::Relaxed);
    }

    /// One that would admit a probe now, looking at a few in turn.
    pub(super) fn due(&self, now: Instant) -> Option<Arc<Node>> {
        if self.len() == 0 {
            return None;
        }
        let mut list = self.list.try_lock().ok()?;
        for _ in 0..LOOKS.min(list.nodes.len()) {
            list.cursor = (list.cursor + 1) % list.nodes.len();
            let node = &list.nodes[list.cursor];
            if node.breaker.probe_due(now) {
                return Some(Arc::clone(node));
            }
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
