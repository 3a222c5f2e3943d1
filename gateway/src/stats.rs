//! What each route did in the last minute, for people who ask the gateway itself.
//!
//! Prometheus has the same in `http_server_request_duration_seconds`; this is for the moment when nobody has started it.
//! Times are to the answer's head. The 99th percentile is the upper edge of a bucket that is at most a quarter wide.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use serde::Serialize;

/// Slices of the window; the oldest is overwritten.
const SLICES: usize = 12;
const SLICE: Duration = Duration::from_secs(5);
/// From 100 us in steps of a quarter: bucket 55 ends beyond 20 s.
const BUCKETS: usize = 56;
const FIRST_BUCKET: f64 = 0.0001;
const STEP: f64 = 1.25;

/// The last minute of all routes, by their place in the table.
pub struct Stats {
    started: Instant,
    routes: Vec<Mutex<[Slice; SLICES]>>,
}

#[derive(Clone, Copy)]
struct Slice {
    number: u64,
    requests: u64,
    errors: u64,
    seconds: f64,
    buckets: [u32; BUCKETS],
}

/// One route's last minute.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    pub requests: u64,
    pub requests_per_second: f64,
    /// Answers with 5xx.
    pub errors: u64,
    pub mean_ms: Option<f64>,
    pub p99_ms: Option<f64>,
}

impl Slice {
    const EMPTY: Self = Self {
        number: 0,
        requests: 0,
        errors: 0,
        seconds: 0.0,
        buckets: [0; BUCKETS],
    };
}

impl Stats {
    pub fn new(routes: usize, now: Instant) -> Self {
        Self {
            started: now,
            routes: (0..routes)
                .map(|_| Mutex::new([Slice::EMPTY; SLICES]))
                .collect(),
        }
    }

    /// Since when this gateway serves.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Counts one answer.
    pub fn record(&self, route: usize, status: u16, took: Duration, now: Instant) {
        let number = self.slice_at(now);
        let mut slices = self.routes[route]
            .lock()
            .expect("nothing panics under this lock");
        let slice = &mut slices[(number % SLICES as u64) as usize];
        if slice.number != number {
            *slice = Slice {
                number,
                ..Slice::EMPTY
            };
        }
        slice.requests += 1;
        slice.errors += u64::from(status >= 500);
        slice.seconds += took.as_secs_f64();
        slice.buckets[bucket(took)] += 1;
    }

    /// One route's last minute.
    pub fn summary(&self, route: usize, now: Instant) -> Summary {
        let newest = self.slice_at(now);
        let oldest = newest.saturating_sub(SLICES as u64 - 1);
        let mut sum = Slice::EMPTY;
        for slice in self.routes[route]
            .lock()
            .expect("nothing panics under this lock")
            .iter()
        {
            if (oldest..=newest).contains(&slice.number) {
                sum.requests += slice.requests;
                sum.errors += slice.errors;
                sum.seconds += slice.seconds;
                for (total, count) in sum.buckets.iter_mut().zip(&slice.buckets) {
                    *total += count;
                }
            }
        }
        let window = now
            .duration_since(self.started)
            .clamp(SLICE, SLICE * SLICES as u32);
        let some = (sum.requests > 0).then_some(sum.requests as f64);
        Summary {
            requests: sum.requests,
            requests_per_second: rounded(sum.requests as f64 / window.as_secs_f64()),
            errors: sum.errors,
            mean_ms: some.map(|requests| rounded(sum.seconds * 1000.0 / requests)),
            p99_ms: some.map(|requests| rounded(quantile(&sum.buckets, requests * 0.99) * 1000.0)),
        }
    }

    fn slice_at(&self, now: Instant) -> u64 {
        // From 1, so that a slice never used has a number of its own.
        1 + now.duration_since(self.started).as_secs() / SLICE.as_secs()
    }
}

fn bucket(took: Duration) -> usize {
    let steps = (took.as_secs_f64() / FIRST_BUCKET).log(STEP).ceil();
    (steps.max(0.0) as usize).min(BUCKETS - 1)
}

/// The upper edge of the bucket in which the `rank`-th smallest lies, in seconds.
fn quantile(buckets: &[u32; BUCKETS], rank: f64) -> f64 {
    let mut seen = 0.0;
    let reached = buckets.iter().position(|&count| {
        seen += f64::from(count);
        seen >= rank
    });
    FIRST_BUCKET * STEP.powi(reached.unwrap_or(BUCKETS - 1) as i32)
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_summed_up() {
        let start = Instant::now();
        let stats = Stats::new(2, start);
        let at = start + Duration::from_secs(50);
        for number in 0..1000 {
            let took = if number < 980 { 10 } else { 500 };
            stats.record(
                1,
                if number < 10 { 503 } else { 200 },
                Duration::from_millis(took),
                at,
            );
        }
        let summary = stats.summary(1, at);
        assert_eq!((summary.requests, summary.errors), (1000, 10));
        assert_eq!(summary.requests_per_second, 20.0);
        assert_eq!(summary.mean_ms, Some(19.8));
        let p99 = summary.p99_ms.unwrap_or_default();
        assert!((500.0..=625.0).contains(&p99), "{p99}");
        assert_eq!(stats.summary(0, at).mean_ms, None);
    }

    #[test]
    fn what_is_older_than_a_minute_is_forgotten() {
        let start = Instant::now();
        let stats = Stats::new(1, start);
        stats.record(0, 200, Duration::from_millis(1), start);
        assert_eq!(
            stats.summary(0, start + Duration::from_secs(54)).requests,
            1
        );
        assert_eq!(
            stats.summary(0, start + Duration::from_secs(61)).requests,
            0
        );
        stats.record(
            0,
            200,
            Duration::from_millis(1),
            start + Duration::from_secs(60),
        );
        assert_eq!(
            stats.summary(0, start + Duration::from_secs(61)).requests,
            1
        );
    }

    #[test]
    fn every_duration_has_a_bucket() {
        assert_eq!(bucket(Duration::ZERO), 0);
        assert_eq!(bucket(Duration::from_micros(100)), 0);
        assert_eq!(bucket(Duration::from_secs(3600)), BUCKETS - 1);
        let edge = quantile(
            &{
                let mut buckets = [0; BUCKETS];
                buckets[bucket(Duration::from_millis(30))] = 1;
                buckets
            },
            1.0,
        );
        assert!((0.030..0.0376).contains(&edge), "{edge}");
    }
}
