//! The states of a limited number of keys, and one more that all others share.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use governor::nanos::Nanos;
use governor::state::keyed::{DashMapStateStore, ShrinkableKeyedStateStore};
use governor::state::{InMemoryState, NotKeyed, StateStore};

/// How full one limiter's memory is; clones look at the same one.
#[derive(Clone, Debug, Default)]
pub struct Usage(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    keys: AtomicUsize,
    overflowed: AtomicU64,
}

#[derive(Debug)]
pub(super) struct Bounded<K: Hash + Eq + Clone> {
    states: DashMapStateStore<K>,
    overflow: InMemoryState,
    /// Kept beside the map, whose own length takes every shard's lock.
    usage: Usage,
    most: usize,
}

impl Usage {
    /// Keys remembered now.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.0.keys.load(Ordering::Relaxed)
    }

    /// Requests decided on the state that keys beyond the cap share, since the beginning.
    #[must_use]
    pub fn overflowed(&self) -> u64 {
        self.0.overflowed.load(Ordering::Relaxed)
    }
}

impl<K: Hash + Eq + Clone> Bounded<K> {
    pub(super) fn new(most: usize, usage: Usage) -> Self {
        Self {
            states: DashMapStateStore::default(),
            overflow: InMemoryState::default(),
            usage,
            most,
        }
    }

    /// Reserves room for one more key.
    fn reserve(&self) -> bool {
        let grown = |keys: usize| (keys < self.most).then_some(keys + 1);
        let keys = &self.usage.0.keys;
        keys.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown)
            .is_ok()
    }
}

impl<K: Hash + Eq + Clone> StateStore for Bounded<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        if let Some(state) = self.states.get(key) {
            return state.measure_and_replace(&NotKeyed::NonKey, decide);
        }
        if !self.reserve() {
            self.usage.0.overflowed.fetch_add(1, Ordering::Relaxed);
            return self.overflow.measure_and_replace(&NotKeyed::NonKey, decide);
        }
        let mut added = false;
        let state = self.states.entry(key.clone()).or_insert_with(|| {
            added = true;
            InMemoryState::default()
        });
        if !added {
            // Another worker was faster: its reservation stands for both. A pruning may have forgotten this one.
            let fewer = |keys: usize| Some(keys.saturating_sub(1));
            let keys = &self.usage.0.keys;
            let _ = keys.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer);
        }
        state.measure_and_replace(&NotKeyed::NonKey, decide)
    }
}

impl<K: Hash + Eq + Clone> ShrinkableKeyedStateStore<K> for Bounded<K> {
    fn retain_recent(&self, drop_below: Nanos) {
        self.states.retain_recent(drop_below);
        let keys = &self.usage.0.keys;
        keys.store(self.states.len(), Ordering::Relaxed);
    }

    fn shrink_to_fit(&self) {
        self.states.shrink_to_fit();
    }

    fn len(&self) -> usize {
        self.states.len()
    }

    fn is_empty(&self) -> bool {
        self.states.is_empty()
    }
}
