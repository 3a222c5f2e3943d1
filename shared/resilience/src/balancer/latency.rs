//! The mean latency of one endpoint, weighted towards the last ten seconds.
//!
//! It decays when it is read, so that an endpoint that was slow once is tried again; being picked ends that decay
//! until the answer is there, so that one request tries it and not a crowd.
//! What a failure cost is a penalty and no latency: it fades twenty times faster, because an endpoint that failed too
//! seldom to be ejected would otherwise be left alone for a minute after it is well again.
//! Reading takes no lock, since every pick reads two of these; the time of a mean and the mean may then be of two
//! samples, which are neighbours.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Latency {
    /// Seconds, as the bits of a float; not a number before the first sample.
    mean: AtomicU64,
    /// The stamp of the last sample or pick.
    touched: AtomicU64,
    /// The last sample was a penalty.
    penalised: AtomicBool,
    /// The stamp of the last sample; held while the mean is computed.
    sampled: Mutex<u64>,
}

/// A sample's weight falls to a third in this time: long enough to average, short enough to notice a deploy.
const DECAY: Duration = Duration::from_secs(10);

/// A penalty of a second is at the level of a well peer after six of these.
const FADE: Duration = Duration::from_millis(500);

/// Differences below a tenth of a millisecond are noise; and whatever costs nothing would take everything.
const LEAST: f64 = 0.000_1;

/// Up to this part of the decay time a straight line is as good as the curve: within a millionth, and cheaper.
const STRAIGHT: f64 = 0.001;

impl Latency {
    /// Starts at its peers' median, where there is one.
    pub(super) fn new(start: Option<f64>, stamp: u64) -> Self {
        Self {
            mean: AtomicU64::new(start.unwrap_or(f64::NAN).to_bits()),
            touched: AtomicU64::new(stamp),
            penalised: AtomicBool::new(false),
            sampled: Mutex::new(stamp),
        }
    }

    pub(super) fn restart(&self, start: Option<f64>, stamp: u64) {
        let mut sampled = self.sampled.lock().unwrap_or_else(PoisonError::into_inner);
        *sampled = stamp;
        self.penalised.store(false, Ordering::Relaxed);
        self.set(start.unwrap_or(f64::NAN), stamp);
    }

    /// Adds what a call took, or what its failure is worth.
    pub(super) fn record(&self, sample: Duration, penalty: bool, stamp: u64) {
        let mut sampled = self.sampled.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = self.decay(stamp.saturating_sub(*sampled));
        self.penalised.store(penalty, Ordering::Relaxed);
        *sampled = stamp.max(*sampled);
        let sample = sample.as_secs_f64();
        let mean = self.mean();
        let mean = mean.map_or(sample, |mean| mean * kept + sample * (1.0 - kept));
        self.set(mean, stamp);
    }

    /// The endpoint was picked.
    pub(super) fn touch(&self, stamp: u64) {
        self.touched.store(stamp, Ordering::Relaxed);
    }

    /// Seconds; none before the first sample without peers.
    pub(super) fn read(&self, stamp: u64) -> Option<f64> {
        let idle = stamp.saturating_sub(self.touched.load(Ordering::Relaxed));
        Some((self.mean()? * self.decay(idle)).max(LEAST))
    }

    fn mean(&self) -> Option<f64> {
        let mean = f64::from_bits(self.mean.load(Ordering::Relaxed));
        (!mean.is_nan()).then_some(mean)
    }

    fn set(&self, mean: f64, stamp: u64) {
        self.mean.store(mean.to_bits(), Ordering::Relaxed);
        self.touch(stamp);
    }

    /// What is left of the mean after so many nanoseconds.
    fn decay(&self, nanoseconds: u64) -> f64 {
        let penalised = self.penalised.load(Ordering::Relaxed);
        let time = if penalised { FADE } else { DECAY };
        let part = nanoseconds as f64 / time.as_nanos() as f64;
        if part < STRAIGHT {
            1.0 - part
        } else {
            (-part).exp()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn the_mean_of_a_steady_stream_is_its_latency() {
        let latency = Latency::new(Some(1.0), 0);
        for millisecond in 0..60_000 {
            latency.record(
                Duration::from_millis(5),
                false,
                millisecond * SECOND / 1_000,
            );
        }
        let mean = latency.read(60 * SECOND).unwrap_or_default();
        assert!((0.005..0.010).contains(&mean), "{mean}");
    }

    #[test]
    fn it_decays_when_read_until_it_is_picked() {
        let latency = Latency::new(None, 0);
        assert_eq!(latency.read(0), None);
        latency.record(Duration::from_secs(1), false, 0);
        assert!(latency.read(30 * SECOND).is_some_and(|mean| mean < 0.06));
        latency.touch(30 * SECOND);
        assert_eq!(latency.read(30 * SECOND), Some(1.0));
    }

    #[test]
    fn a_penalty_fades_in_seconds_and_one_good_answer_ends_it() {
        let latency = Latency::new(Some(0.005), 0);
        latency.record(Duration::from_secs(1), true, 20 * SECOND);
        assert!(latency.read(21 * SECOND).is_some_and(|mean| mean > 0.1));
        assert!(latency.read(26 * SECOND).is_some_and(|mean| mean < 0.01));
        latency.record(Duration::from_millis(5), false, 26 * SECOND);
        assert!(latency.read(26 * SECOND).is_some_and(|mean| mean < 0.01));
    }
}
