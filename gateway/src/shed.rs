//! Places in the gateway: when it is nearly full, what matters least is turned away first.
//!
//! A place is held from admission until the answer's body has ended, where it flows; what is written from memory at once (a kept answer, an aggregate, a problem) gives its place back with its head.
//! Rejecting early keeps the answers that are given fast: it comes before a credential is verified and before a principal's quota is charged, so that being turned away costs neither side anything.
//! Who is turned away is told to come back in a second.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use crate::{error::Error, metrics::Metrics, route::Priority};

/// Counts the requests in the gateway, for all workers.
pub struct Shed {
    taken: Arc<AtomicU32>,
    places: u32,
    metrics: Metrics,
}

/// One request's place; dropping it gives it back.
pub struct Place {
    taken: Arc<AtomicU32>,
    metrics: Metrics,
}

impl Shed {
    pub fn new(places: u32, metrics: Metrics) -> Self {
        metrics.in_flight_limit.set(places.into());
        Self {
            taken: Arc::default(),
            places,
            metrics,
        }
    }

    /// A place for a request of this priority.
    pub fn admit(&self, priority: Priority) -> Result<Place, Error> {
        let before = self.taken.fetch_add(1, Ordering::Relaxed);
        let place = Place {
            taken: self.taken.clone(),
            metrics: self.metrics.clone(),
        };
        self.metrics.in_flight.inc();
        if before >= self.open_to(priority) {
            self.metrics.shed(name(priority));
            return Err(Error::Shed);
        }
        Ok(place)
    }

    /// How many requests may be in the gateway before this priority is turned away.
    fn open_to(&self, priority: Priority) -> u32 {
        // Wide enough steps that the lower priorities feel it well before the highest does.
        let tenths = match priority {
            Priority::Low => 8,
            Priority::Normal => 9,
            Priority::High => 10,
        };
        let open = u64::from(self.places) * tenths / 10;
        u32::try_from(open).unwrap_or(u32::MAX).max(1)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.taken.fetch_sub(1, Ordering::Relaxed);
        self.metrics.in_flight.dec();
    }
}

fn name(priority: Priority) -> &'static str {
    match priority {
        Priority::Low => "low",
        Priority::Normal => "normal",
        Priority::High => "high",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn shed(places: u32) -> Shed {
        Shed::new(
            places,
            Metrics::register(&prometheus::Registry::new()).unwrap(),
        )
    }

    #[test]
    fn the_lowest_priority_is_turned_away_first() {
        let shed = shed(10);
        assert_eq!(shed.metrics.in_flight_limit.get(), 10);
        let mut held = Vec::new();
        for (priority, expected) in [
            (Priority::Low, 8),
            (Priority::Normal, 9),
            (Priority::High, 10),
        ] {
            while let Ok(place) = shed.admit(priority) {
                held.push(place);
            }
            assert_eq!(held.len(), expected, "{priority:?}");
        }
    }

    #[test]
    fn a_place_comes_back_when_its_request_ends_and_a_refusal_takes_none() {
        let shed = shed(1);
        let place = shed.admit(Priority::High).unwrap();
        for _ in 0..10 {
            assert!(shed.admit(Priority::High).is_err());
        }
        drop(place);
        assert!(shed.admit(Priority::High).is_ok());
        assert_eq!(shed.taken.load(Ordering::Relaxed), 0);
        assert_eq!(shed.metrics.in_flight.get(), 0);
    }
}
