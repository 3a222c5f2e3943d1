//! The last good answer of each read on routes that keep them, bounded in bytes over the process.
//!
//! Answers that are asked for again outlive those that are not (the crate's Clock-PRO); one that is new pushes out what nobody missed.
//! How old an answer may be when it stands in is the route's to say; `Age` tells the client.
//! An answer that is gone upstream (404, 410) or no longer open to the caller (401, 403) is forgotten: it is not good any more.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::http::StatusCode;
use prometheus::IntCounter;
use quick_cache::{DefaultHashBuilder, Lifecycle, OptionsBuilder, Weighter, sync::Cache};

use crate::{
    kept::{Kept, KeptConfig, key::Key},
    metrics::LastGoodMetrics,
};

/// Locks are held for a lookup; two workers seldom meet at one of four.
const SHARDS: usize = 4;
/// What an answer of ours takes, to size the tables by; being wrong costs a few kilobytes.
const TYPICAL: u64 = 2048;
/// The store's own part of an entry: slots, hashes, reference counts.
const OVERHEAD: usize = 160;

/// The store, shared by all workers.
pub struct LastGood {
    cache: Cache<Key, Entry, Bytes, DefaultHashBuilder, Evicted>,
    /// Bodies up to this length are kept.
    pub answer_bytes: u64,
    metrics: LastGoodMetrics,
}

#[derive(Clone)]
struct Entry {
    kept: Arc<Kept>,
    since: Instant,
}

#[derive(Clone)]
struct Bytes;

/// Counts what was pushed out.
#[derive(Clone)]
struct Evicted(IntCounter);

impl LastGood {
    /// An empty store of the configured size.
    pub fn new(config: &KeptConfig, metrics: LastGoodMetrics) -> Self {
        let expected = usize::try_from(config.total_bytes / TYPICAL).unwrap_or(usize::MAX);
        let options = OptionsBuilder::new()
            .shards(SHARDS)
            .estimated_items_capacity(expected.max(SHARDS * 32))
            .weight_capacity(config.total_bytes)
            .build()
            .expect("both capacities are given");
        let evicted = Evicted(metrics.evictions.clone());
        Self {
            cache: Cache::with_options(options, Bytes, DefaultHashBuilder::default(), evicted),
            answer_bytes: config.answer_bytes,
            metrics,
        }
    }

    /// Keeps an answer in place of the one before it.
    pub fn keep(&self, key: &Key, kept: Arc<Kept>, now: Instant) {
        self.cache.insert(key.clone(), Entry { kept, since: now });
        self.measure();
    }

    /// The answer to stand in and its age in seconds, unless it is older than `max_age` here.
    pub fn find(&self, key: &Key, max_age: Duration, now: Instant) -> Option<(Arc<Kept>, u64)> {
        let Entry { kept, since } = self.cache.get(key)?;
        let here = now.saturating_duration_since(since);
        if here > max_age {
            self.forget(key);
            return None;
        }
        let age = kept.age().saturating_add(here.as_secs());
        Some((kept, age))
    }

    /// Takes note of an answer that cannot be kept.
    pub fn passed(&self, key: &Key, status: StatusCode) {
        let no_longer_good = matches!(status.as_u16(), 200 | 401 | 403 | 404 | 410);
        if no_longer_good {
            self.forget(key);
        }
    }

    fn forget(&self, key: &Key) {
        if self.cache.remove(key).is_some() {
            self.measure();
        }
    }

    fn measure(&self) {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.metrics.bytes.set(number(self.cache.weight()));
        self.metrics.entries.set(number(self.cache.len() as u64));
    }
}

impl Weighter<Key, Entry> for Bytes {
    fn weight(&self, key: &Key, entry: &Entry) -> u64 {
        (OVERHEAD + key.bytes() + entry.kept.bytes()) as u64
    }
}

impl Lifecycle<Key, Entry> for Evicted {
    type RequestState = ();

    fn on_evict(&self, (): &mut (), _: Key, _: Entry) {
        self.0.inc();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use actix_web::HttpResponse;

    use super::*;
    use crate::metrics::Metrics;

    const HOUR: Duration = Duration::from_secs(3600);

    fn store(total_bytes: u64) -> LastGood {
        let config = KeptConfig {
            total_bytes,
            answer_bytes: total_bytes / 16,
        };
        let metrics = Metrics::register(&prometheus::Registry::new()).unwrap();
        LastGood::new(&config, metrics.last_good.clone())
    }

    fn answer(length: usize) -> Arc<Kept> {
        let head = HttpResponse::Ok().insert_header(("x", "y")).finish();
        Arc::new(Kept::new(&head, vec![b'x'; length].into()))
    }

    #[test]
    fn the_last_answer_stands_in_until_it_is_too_old() {
        let store = store(1 << 20);
        let (key, now) = (Key::test("a"), Instant::now());
        assert!(store.find(&key, HOUR, now).is_none());
        store.keep(&key, answer(1), now);
        store.keep(&key, answer(2), now + Duration::from_secs(5));
        let minute = Duration::from_secs(60);
        let (kept, age) = store
            .find(&key, minute, now + Duration::from_secs(65))
            .unwrap();
        assert_eq!((kept, age), (answer(2), 60));
        assert!(
            store
                .find(&key, minute, now + Duration::from_secs(66))
                .is_none()
        );
        assert_eq!(store.metrics.entries.get(), 0, "and is not kept for longer");
    }

    #[test]
    fn an_age_that_it_had_before_counts() {
        let store = store(1 << 20);
        let head = HttpResponse::Ok().insert_header(("age", "7")).finish();
        let (key, now) = (Key::test("a"), Instant::now());
        store.keep(&key, Arc::new(Kept::new(&head, "x".into())), now);
        assert_eq!(
            store
                .find(&key, HOUR, now + Duration::from_secs(3))
                .unwrap()
                .1,
            10
        );
    }

    #[test]
    fn what_is_gone_upstream_is_gone_here() {
        let store = store(1 << 20);
        let (key, now) = (Key::test("a"), Instant::now());
        for (status, gone) in [
            (404, true),
            (403, true),
            (200, true),
            (304, false),
            (500, false),
            (429, false),
        ] {
            store.keep(&key, answer(1), now);
            store.passed(&key, StatusCode::from_u16(status).unwrap());
            assert_eq!(store.find(&key, HOUR, now).is_none(), gone, "{status}");
        }
    }

    #[test]
    fn a_million_different_reads_take_no_more_than_the_bound() {
        let bound = 1 << 20;
        let store = store(bound);
        let now = Instant::now();
        let hot = Key::test("hot");
        store.keep(&hot, answer(100), now);
        for number in 0..1_000_000 {
            store.keep(&Key::test(&number.to_string()), answer(number % 5000), now);
            if number % 10 == 0 {
                store.find(&hot, HOUR, now);
            }
            assert!(store.cache.weight() <= bound, "{}", store.cache.weight());
        }
        assert!(
            store.find(&hot, HOUR, now).is_some(),
            "what is asked for stays"
        );
        assert!(store.metrics.evictions.get() > 900_000);
        assert!(store.metrics.bytes.get() > i64::try_from(bound / 2).unwrap());
    }
}
