//! Readiness as latches: the process is ready when each of them is set.
//!
//! A latch says one thing ("store open", "first snapshot of users", "not draining"). Whoever knows
//! it sets it; nobody asks the parts in turn.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// The set of latches of one process; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    latches: Arc<Mutex<Vec<Latch>>>,
}

/// One named condition.
#[derive(Debug, Clone)]
pub struct Latch {
    name: Arc<str>,
    set: Arc<AtomicBool>,
}

impl Readiness {
    /// Adds a condition, unset.
    pub fn latch(&self, name: impl Into<Arc<str>>) -> Latch {
        let latch = Latch {
            name: name.into(),
            set: Arc::new(AtomicBool::new(false)),
        };
        self.lock().push(latch.clone());
        latch
    }

    /// The names of the latches that are not set; empty means ready.
    pub fn missing(&self) -> Vec<Arc<str>> {
        self.lock()
            .iter()
            .filter(|latch| !latch.is_set())
            .map(|latch| latch.name.clone())
            .collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Latch>> {
        self.latches
            .lock()
            .expect("no code panics while it holds the latches")
    }
}

impl Latch {
    /// The condition holds.
    pub fn set(&self) {
        self.set.store(true, Ordering::Release);
    }

    /// The condition no longer holds.
    pub fn clear(&self) {
        self.set.store(false, Ordering::Release);
    }

    /// Whether it holds now.
    pub fn is_set(&self) -> bool {
        self.set.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_means_that_every_latch_is_set() {
        let readiness = Readiness::default();
        let (store, snapshot) = (readiness.latch("store"), readiness.latch("snapshot"));
        store.set();
        assert_eq!(readiness.missing(), ["snapshot".into()]);
        snapshot.set();
        assert!(readiness.missing().is_empty());
        store.clear();
        assert_eq!(readiness.missing(), ["store".into()]);
    }
}
