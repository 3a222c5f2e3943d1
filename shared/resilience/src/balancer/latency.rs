//! The mean latency of one endpoint, weighted towards the last ten seconds.
//!
//! It decays when it is read, so that an endpoint that was slow once is tried again; being picked ends that decay
//! until the answer is there, so that one request tries it and not a crowd.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct Latency {
    mean: Mutex<Mean>,
}

#[derive(Debug)]
struct Mean {
    seconds: Option<f64>,
    sampled: Instant,
    touched: Instant,
}

/// A sample's weight falls to a third in this time: long enough to average, short enough to notice a deploy.
const DECAY: f64 = 10.0;

/// Differences below a tenth of a millisecond are noise; and whatever costs nothing would take everything.
const LEAST: f64 = 0.000_1;

impl Latency {
    /// Starts at its peers' median, where there is one.
    pub(super) fn new(start: Option<f64>, now: Instant) -> Self {
        Self {
            mean: Mutex::new(Mean {
                seconds: start,
                sampled: now,
                touched: now,
            }),
        }
    }

    pub(super) fn restart(&self, start: Option<f64>, now: Instant) {
        *self.lock() = Mean {
            seconds: start,
            sampled: now,
            touched: now,
        };
    }

    pub(super) fn record(&self, sample: Duration, now: Instant) {
        let mut mean = self.lock();
        let sample = sample.as_secs_f64();
        let kept = decay(mean.sampled, now);
        mean.seconds = Some(
            mean.seconds
                .map_or(sample, |seconds| seconds * kept + sample * (1.0 - kept)),
        );
        mean.sampled = now.max(mean.sampled);
        mean.touched = now.max(mean.touched);
    }

    pub(super) fn touch(&self, now: Instant) {
        let mut mean = self.lock();
        mean.touched = now.max(mean.touched);
    }

    /// Seconds; none before the first sample without peers.
    pub(super) fn read(&self, now: Instant) -> Option<f64> {
        let mean = self.lock();
        Some((mean.seconds? * decay(mean.touched, now)).max(LEAST))
    }

    fn lock(&self) -> MutexGuard<'_, Mean> {
        self.mean.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn decay(since: Instant, now: Instant) -> f64 {
    (-now.saturating_duration_since(since).as_secs_f64() / DECAY).exp()
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::disallowed_methods,
        reason = "a test needs some instant to start from"
    )]
    use super::*;

    #[test]
    fn the_mean_of_a_steady_stream_is_its_latency() {
        let start = Instant::now();
        let latency = Latency::new(Some(1.0), start);
        for millisecond in 0..60_000 {
            latency.record(
                Duration::from_millis(5),
                start + Duration::from_millis(millisecond),
            );
        }
        let mean = latency
            .read(start + Duration::from_secs(60))
            .unwrap_or_default();
        assert!((0.005..0.010).contains(&mean), "{mean}");
    }

    #[test]
    fn it_decays_when_read_until_it_is_picked() {
        let start = Instant::now();
        let latency = Latency::new(None, start);
        assert_eq!(latency.read(start), None);
        latency.record(Duration::from_secs(1), start);
        let later = start + Duration::from_secs(30);
        assert!(latency.read(later).is_some_and(|mean| mean < 0.06));
        latency.touch(later);
        assert_eq!(latency.read(later), Some(1.0));
    }
}
