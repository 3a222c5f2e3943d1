//! What retries may cost: a fifth of the requests of the last ten seconds, plus three a second.
//!
//! Deposits and withdrawals live in the same ten buckets of a second, so that a withdrawal is always covered by
//! deposits of the ten seconds before it: saved-up credit from an hour of good weather cannot fuel a storm.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The budget of one upstream in one gateway, shared by all workers.
#[derive(Debug, Default)]
pub struct Budget {
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    start: Option<Instant>,
    second: u64,
    buckets: [Bucket; SECONDS],
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    begun: bool,
    requests: u32,
    retries: u32,
}

/// Requests are remembered this long.
const SECONDS: usize = 10;

/// A request earns a fifth of a retry; counting in fifths keeps the arithmetic exact.
const RETRY: i64 = 5;

/// Three retries are earned by every second, so that a quiet route can retry too.
const EACH_SECOND: i64 = 3 * RETRY;

impl Budget {
    /// An empty book.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a request (not an attempt).
    pub fn request(&self, now: Instant) {
        self.at(now).bucket().requests += 1;
    }

    /// Takes one retry, if there is one.
    pub fn take(&self, now: Instant) -> bool {
        let mut book = self.at(now);
        let covered = book.fifths() >= RETRY;
        book.bucket().retries += u32::from(covered);
        covered
    }

    /// The retries that could be made now.
    #[must_use]
    pub fn balance(&self, now: Instant) -> u32 {
        u32::try_from(self.at(now).fifths() / RETRY).unwrap_or(0)
    }

    fn at(&self, now: Instant) -> MutexGuard<'_, Book> {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        book.roll(now);
        book
    }
}

impl Book {
    fn roll(&mut self, now: Instant) {
        let start = *self.start.get_or_insert(now);
        let second = now
            .saturating_duration_since(start)
            .as_secs()
            .max(self.second);
        for passed in (self.second + 1..=second).rev().take(SECONDS) {
            self.buckets[Self::index(passed)] = Bucket {
                begun: true,
                ..Bucket::default()
            };
        }
        self.second = second;
        self.bucket().begun = true;
    }

    fn bucket(&mut self) -> &mut Bucket {
        &mut self.buckets[Self::index(self.second)]
    }

    fn index(second: u64) -> usize {
        usize::try_from(second % SECONDS as u64).expect("under ten")
    }

    fn fifths(&self) -> i64 {
        let sum = self.buckets.iter().filter(|bucket| bucket.begun);
        sum.map(|bucket| {
            EACH_SECOND + i64::from(bucket.requests) - RETRY * i64::from(bucket.retries)
        })
        .sum()
    }
}
