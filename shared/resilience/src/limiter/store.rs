//! The states of a limited number of keys, and one more that all others share.

use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};

use governor::nanos::Nanos;
use governor::state::keyed::{DashMapStateStore, ShrinkableKeyedStateStore};
use governor::state::{InMemoryState, NotKeyed, StateStore};

#[derive(Debug)]
pub(super) struct Bounded<K: Hash + Eq + Clone> {
    states: DashMapStateStore<K>,
    overflow: InMemoryState,
    /// Kept beside the map, whose own length takes every shard's lock.
    keys: AtomicUsize,
    most: usize,
}

impl<K: Hash + Eq + Clone> Bounded<K> {
    pub(super) fn new(most: usize) -> Self {
        Self {
            states: DashMapStateStore::default(),
            overflow: InMemoryState::default(),
            keys: AtomicUsize::new(0),
            most,
        }
    }

    /// Reserves room for one more key.
    fn reserve(&self) -> bool {
        let grown = |keys: usize| (keys < self.most).then_some(keys + 1);
        self.keys
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown)
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
            let _ = self
                .keys
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer);
        }
        state.measure_and_replace(&NotKeyed::NonKey, decide)
    }
}

impl<K: Hash + Eq + Clone> ShrinkableKeyedStateStore<K> for Bounded<K> {
    fn retain_recent(&self, drop_below: Nanos) {
        self.states.retain_recent(drop_below);
        self.keys.store(self.states.len(), Ordering::Relaxed);
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
