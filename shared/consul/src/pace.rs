//! When the next query may go out.
//!
//! Three rules together, the latest wins: a token bucket that holds under any sequence of answers and errors, a floor
//! between answers so that a busy catalogue is read in batches, and a full-jitter back-off after errors.
//! Pure: the time and the randomness come from the caller, and the answer is a duration to wait.

use std::time::{Duration, Instant};

use rand::{Rng, RngExt};

/// What the next query follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// Nothing: the first query goes at once.
    Nothing,
    /// An answer in the history that we were following.
    Answer,
    /// An answer from another history; every watcher sees it in the same moment, so they spread out.
    Restart,
    /// A call without a usable answer.
    Error,
}

/// The pace of one watch.
#[derive(Debug)]
pub(crate) struct Pace {
    bucket: Bucket,
    backoff: Backoff,
}

/// A token bucket: at most `burst + rate x w` takes in any window `w`.
#[derive(Debug)]
struct Bucket {
    /// When the bucket will be full again.
    full_at: Option<Instant>,
}

/// Full-jitter back-off: the first retry at once, then a random wait under a doubling cap.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    errors: u32,
}

/// One query a second on average, whatever the agent does: 1 000 changes a second become one read.
const PERIOD: Duration = Duration::from_secs(1);
/// One answer and the follow-up to it do not wait for each other.
const BURST: u32 = 2;
/// Changes come in groups (a deployment, a zone); a short wait reads them in one answer.
const FLOOR: Duration = Duration::from_millis(100);
/// Keeps watchers that were woken by the same change from asking again in the same moment.
const FLOOR_JITTER: Duration = Duration::from_millis(50);
/// After a restart of the agent every process asks from the beginning; they spread over this time.
const RESTART_SPREAD: Duration = Duration::from_secs(1);
/// The first back-off: longer than a connection error takes, shorter than anybody notices.
const BACKOFF_FIRST: Duration = Duration::from_millis(250);
/// The longest: a view must be fresh within two seconds once errors stop.
const BACKOFF_LONGEST: Duration = Duration::from_millis(1_500);

// ---

impl Pace {
    pub(crate) fn new() -> Self {
        Self {
            bucket: Bucket { full_at: None },
            backoff: Backoff::default(),
        }
    }

    /// How long to wait before the next query, counted from `now`. The query's token is taken with it.
    pub(crate) fn wait(&mut self, after: After, now: Instant, random: &mut impl Rng) -> Duration {
        if after != After::Error {
            self.backoff.reset();
        }
        let wait = match after {
            After::Nothing => Duration::ZERO,
            After::Answer => FLOOR + random.random_range(Duration::ZERO..=FLOOR_JITTER),
            After::Restart => FLOOR.max(random.random_range(Duration::ZERO..=RESTART_SPREAD)),
            After::Error => self.backoff.wait(random),
        };
        self.bucket.take(now + wait) - now
    }
}

impl Bucket {
    /// The first moment, not before `wanted`, at which a token is there; takes it.
    fn take(&mut self, wanted: Instant) -> Instant {
        let full_at = self.full_at.unwrap_or(wanted);
        let granted = wanted.max(full_at.checked_sub(PERIOD * (BURST - 1)).unwrap_or(wanted));
        self.full_at = Some(full_at.max(granted) + PERIOD);
        granted
    }
}

impl Backoff {
    pub(crate) fn wait(&mut self, random: &mut impl Rng) -> Duration {
        let errors = self.errors;
        self.errors = errors.saturating_add(1);
        if errors == 0 {
            return Duration::ZERO;
        }
        let cap = BACKOFF_LONGEST.min(BACKOFF_FIRST * 2_u32.saturating_pow((errors - 1).min(8)));
        random.random_range(Duration::ZERO..=cap)
    }

    pub(crate) fn reset(&mut self) {
        self.errors = 0;
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    /// Sends queries for a minute; each takes `took` and ends as `after(n)` says. Returns when they were sent.
    fn minute(seed: u64, took: Duration, after: impl Fn(u64) -> After) -> Vec<Instant> {
        let mut random = StdRng::seed_from_u64(seed);
        let mut pace = Pace::new();
        let start = Instant::now();
        let mut now = start;
        let mut sent = Vec::new();
        let mut follows = After::Nothing;
        while now < start + Duration::from_secs(60) {
            now += pace.wait(follows, now, &mut random);
            sent.push(now);
            follows = after(sent.len() as u64);
            now += took;
        }
        sent
    }

    fn assert_within_bucket(sent: &[Instant]) {
        for (i, from) in sent.iter().enumerate() {
            for (count, to) in sent[i..].iter().enumerate() {
                let allowed = f64::from(BURST) + (*to - *from).as_secs_f64();
                assert!(
                    (count + 1) as f64 <= allowed + 1e-6,
                    "{} queries in {:?}",
                    count + 1,
                    *to - *from
                );
            }
        }
    }

    #[test]
    fn the_first_query_goes_at_once_and_the_second_is_not_delayed_by_the_bucket() {
        let mut random = StdRng::seed_from_u64(1);
        let mut pace = Pace::new();
        let now = Instant::now();
        assert_eq!(pace.wait(After::Nothing, now, &mut random), Duration::ZERO);
        let second = pace.wait(After::Answer, now, &mut random);
        assert!(
            (FLOOR..=FLOOR + FLOOR_JITTER).contains(&second),
            "{second:?}"
        );
        let third = pace.wait(After::Answer, now + second, &mut random);
        assert!(third >= PERIOD - second - FLOOR, "{third:?}");
    }

    #[test]
    fn any_sequence_of_answers_and_errors_stays_within_the_bucket() {
        let kinds = [After::Answer, After::Error, After::Restart];
        for seed in 0..200 {
            let took = Duration::from_millis(seed % 7 * 10);
            let sent = minute(seed, took, |n| {
                kinds[((seed ^ n).wrapping_mul(0x9E37_79B9) >> 7) as usize % 3]
            });
            assert_within_bucket(&sent);
        }
    }

    #[test]
    fn a_thousand_changes_a_second_are_one_query_a_second() {
        let sent = minute(7, Duration::from_millis(1), |_| After::Answer);
        assert!((59..=62).contains(&sent.len()), "{}", sent.len());
    }

    #[test]
    fn a_retry_is_never_more_than_a_back_off_and_a_token_away() {
        for seed in 0..50 {
            let sent = minute(seed, Duration::ZERO, |_| After::Error);
            let longest = sent.windows(2).map(|pair| pair[1] - pair[0]).max();
            assert!(
                longest.is_some_and(|gap| gap <= Duration::from_secs(2)),
                "{longest:?}"
            );
        }
    }

    #[test]
    fn back_off_starts_at_once_doubles_its_cap_and_starts_anew_after_a_success() {
        let mut random = StdRng::seed_from_u64(3);
        let mut backoff = Backoff::default();
        assert_eq!(backoff.wait(&mut random), Duration::ZERO);
        for cap in [250, 500, 1_000, 1_500, 1_500] {
            assert!(backoff.wait(&mut random) <= Duration::from_millis(cap));
        }
        backoff.reset();
        assert_eq!(backoff.wait(&mut random), Duration::ZERO);
    }

    #[test]
    fn watchers_spread_over_a_second_after_a_restart() {
        let waits: Vec<_> = (0..100)
            .map(|seed| {
                Pace::new().wait(
                    After::Restart,
                    Instant::now(),
                    &mut StdRng::seed_from_u64(seed),
                )
            })
            .collect();
        let early = waits
            .iter()
            .filter(|wait| **wait < Duration::from_millis(500))
            .count();
        assert!(
            (30..=70).contains(&early),
            "{early} of 100 in the first half"
        );
        assert!(waits.iter().all(|wait| *wait <= RESTART_SPREAD));
    }
}
