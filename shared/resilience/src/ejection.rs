//! Taking one sick endpoint out of its service: the breaker's other configuration, and its limit.
//!
//! An endpoint is judged on attempts, more eagerly than a service: one refused connection is enough, because nobody
//! listens there.
//! Of a service with n eligible endpoints never more than `max(1, n / 2)` are out for failing, so that errors which
//! follow the requests around cannot take out everybody; those that refuse connections do not count, since sending
//! them traffic helps nobody.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::breaker::{BreakerConfig, LONGEST, Share};

/// How many endpoints of one service may be out at a time.
#[derive(Debug, Default)]
pub struct Limit {
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    most: usize,
    held: usize,
}

/// One endpoint's place among those out; dropping it makes room.
#[derive(Debug)]
pub struct Slot {
    limit: Arc<Limit>,
}

/// An endpoint's part in its service's limit.
#[derive(Debug)]
pub(crate) struct Place {
    limit: Arc<Limit>,
    slot: Option<Slot>,
    /// Whether it is one of the service's eligible endpoints.
    pub(crate) counted: bool,
    /// Whether it is out for refusing connections.
    pub(crate) refused: bool,
}

/// The breaker of an endpoint, which counts attempts.
#[must_use]
pub fn config() -> BreakerConfig {
    BreakerConfig {
        consecutive_failures: 5,
        spares_peers: false,
        trip_on_refused: true,
        failure_share: Share::Above(0.2),
        min_calls: 10,
        min_failures: 3,
        slow: None,
        open_for: Duration::from_secs(1),
        jitter: (0.5, 1.5),
        longest: LONGEST,
        probes: 1,
        successes: 1,
    }
}

impl Limit {
    /// Sets the number of endpoints in the service.
    pub fn resize(&self, endpoints: usize) {
        self.lock().most = (endpoints / 2).max(1);
    }

    /// Takes a place, if there is one.
    #[must_use]
    pub fn claim(self: &Arc<Self>) -> Option<Slot> {
        let mut taken = self.lock();
        (taken.held < taken.most).then(|| {
            taken.held += 1;
            Slot {
                limit: Arc::clone(self),
            }
        })
    }

    /// How many more are out than may be, after the service shrank.
    #[must_use]
    pub fn excess(&self) -> usize {
        let taken = self.lock();
        taken.held.saturating_sub(taken.most)
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    pub(crate) fn new(limit: Arc<Limit>) -> Self {
        Self {
            limit,
            slot: None,
            counted: true,
            refused: false,
        }
    }

    /// Whether the endpoint may be out; one that refuses connections or is not counted needs no slot.
    pub(crate) fn claim(&mut self) -> bool {
        if self.refused || !self.counted {
            self.slot = None;
            return true;
        }
        if self.slot.is_none() {
            self.slot = self.limit.claim();
        }
        self.slot.is_some()
    }

    /// The endpoint is in use again.
    pub(crate) fn leave(&mut self) {
        self.slot = None;
        self.refused = false;
    }

    /// Whether it holds a slot.
    pub(crate) fn holds(&self) -> bool {
        self.slot.is_some()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.limit.lock().held -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_may_be_out_and_always_one() {
        for (endpoints, most) in [(0, 1), (1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (9, 4)] {
            let limit = Arc::new(Limit::default());
            limit.resize(endpoints);
            let slots: Vec<Slot> = std::iter::from_fn(|| limit.claim()).collect();
            assert_eq!(slots.len(), most, "of {endpoints}");
        }
    }

    #[test]
    fn a_dropped_slot_makes_room() {
        let limit = Arc::new(Limit::default());
        limit.resize(2);
        let slot = limit.claim();
        assert!(limit.claim().is_none());
        drop(slot);
        assert!(limit.claim().is_some());
    }
}
