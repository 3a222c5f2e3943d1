//! The last requests and why each went where it went, for people who look at the live page.
//!
//! A ring of a fixed number of places: the newest takes the place of the oldest, and nothing else is ever kept.
//! What is kept is names from configuration and the catalogue, codes and times: no path, query, key, address or subject, so nothing of a client's own.
//! A request that goes upstream allocates its list of steps, once for most; the rest is counted references. A place is locked for as long as it takes to swap what is in it, and two workers hardly ever want the same one.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use upstream::{EndpointId, Zone, call::Made};

/// A screenful or two, and less than a quarter of a megabyte with every retry there may be.
pub const PLACES: usize = 200;

/// The ring, shared by all workers.
pub struct Recent {
    next: AtomicU64,
    places: Box<[Mutex<Option<Numbered>>]>,
}

/// What is remembered of one request.
#[derive(Debug, Clone)]
pub struct Seen {
    pub started: Instant,
    /// To the answer's head.
    pub took: Duration,
    pub method: &'static str,
    /// Its place in the table of routes.
    pub route: Option<usize>,
    pub status: u16,
    /// Why it failed, also where something stood in for the failure.
    pub code: Option<&'static str>,
    /// The limit that refused it.
    pub limit: Option<Arc<str>>,
    /// What answered in place of its upstream.
    pub fallback: Option<&'static str>,
    /// It got the answer of somebody else who asked the same.
    pub shared: bool,
    /// An aggregate went out without some of its parts.
    pub partial: bool,
    pub steps: Vec<Step>,
    pub trace: Option<u128>,
}

/// One attempt: where it went, why there, what came of it, and why there was none after it.
#[derive(Debug, Clone)]
pub struct Step {
    pub upstream: Arc<str>,
    pub instance: EndpointId,
    pub zone: Zone,
    /// Why that zone.
    pub reason: &'static str,
    /// It found out whether an ejected instance is well again.
    pub probe: bool,
    /// What it brought, or what it met.
    pub ended: Result<u16, &'static str>,
    pub took: Duration,
    /// Why it was the last one; none where another follows.
    pub last: Option<&'static str>,
}

impl Step {
    /// What is remembered of an attempt.
    pub fn of(upstream: &Arc<str>, made: &Made<'_>) -> Self {
        let endpoint = made.lease.endpoint();
        Self {
            upstream: upstream.clone(),
            instance: endpoint.id.clone(),
            zone: endpoint.zone.clone(),
            reason: made.lease.reason().as_str(),
            probe: made.lease.is_probe(),
            ended: made.ended,
            took: made.took,
            last: made.last,
        }
    }
}

/// A request with its number, from 1.
#[derive(Debug, Clone)]
pub struct Numbered {
    pub number: u64,
    pub seen: Seen,
}

impl Recent {
    /// Nothing was seen yet.
    pub fn new() -> Self {
        Self {
            next: AtomicU64::new(1),
            places: (0..PLACES).map(|_| Mutex::new(None)).collect(),
        }
    }

    /// Remembers a request that has been answered.
    pub fn record(&self, seen: Seen) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut place = self.lock((number % PLACES as u64) as usize);
        // Whoever was held up for a whole turn of the ring is older than what is there.
        if place.as_ref().is_none_or(|there| there.number < number) {
            let before = place.replace(Numbered { number, seen });
            drop(place);
            drop(before);
        }
    }

    /// How many were ever recorded.
    pub fn count(&self) -> u64 {
        self.next.load(Ordering::Relaxed) - 1
    }

    /// What is remembered, the newest first.
    pub fn newest_first(&self) -> Vec<Numbered> {
        let mut all: Vec<Numbered> = (0..PLACES)
            .filter_map(|place| self.lock(place).clone())
            .collect();
        all.sort_unstable_by_key(|one| std::cmp::Reverse(one.number));
        all
    }

    fn lock(&self, place: usize) -> MutexGuard<'_, Option<Numbered>> {
        self.places[place]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Recent {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn seen(status: u16) -> Seen {
        Seen {
            started: Instant::now(),
            took: Duration::from_millis(1),
            method: "GET",
            route: Some(0),
            status,
            code: None,
            limit: None,
            fallback: None,
            shared: false,
            partial: false,
            steps: Vec::new(),
            trace: None,
        }
    }

    #[test]
    fn the_newest_take_the_places_of_the_oldest() {
        let recent = Recent::new();
        assert!(recent.newest_first().is_empty());
        for status in 0..450 {
            recent.record(seen(status));
        }
        let all = recent.newest_first();
        assert_eq!((all.len(), recent.count()), (PLACES, 450));
        let statuses: Vec<u16> = all.iter().map(|one| one.seen.status).collect();
        let expected: Vec<u16> = (250..450).rev().collect();
        assert_eq!(statuses, expected);
        assert!(
            all.windows(2)
                .all(|pair| pair[0].number == pair[1].number + 1)
        );
    }

    #[test]
    fn many_workers_lose_nothing_and_what_is_kept_stays_bounded() {
        let recent = Recent::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..5000).for_each(|_| recent.record(seen(200))));
            }
            scope.spawn(|| {
                for _ in 0..50 {
                    assert!(recent.newest_first().len() <= PLACES);
                }
            });
        });
        let all = recent.newest_first();
        assert_eq!((all.len(), recent.count()), (PLACES, 20_000));
        assert_eq!(all.first().unwrap().number, 20_000);
        assert_eq!(all.last().unwrap().number, 20_001 - PLACES as u64);
    }

    #[test]
    fn a_place_is_small() {
        let whole = size_of::<Mutex<Option<Numbered>>>() + 6 * size_of::<Step>();
        assert!(whole * PLACES < 256 * 1024, "{whole} bytes each");
    }
}
