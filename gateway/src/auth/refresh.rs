//! Asking for the keys that sign tokens: at the start, from time to time, and when a token names one that is not known.
//!
//! One task for the process, on the main thread, through the pool of the service that publishes them: its endpoints, its breaker, its deadline.
//! What comes back replaces what is known only if it is good as a whole.

use std::time::{Duration, Instant};

use rand::RngExt as _;
use upstream::call::Client;

use super::{
    config::TokensConfig,
    jwks::{Document, KeySet},
    keyring::Keyring,
};
use crate::metrics::Metrics;

/// Without any keys no token can be verified: asked again at once, but for the time that a starting service needs.
const COLD: Duration = Duration::from_secs(1);
/// Gateways that started together do not ask together for ever.
const SPREAD: std::ops::Range<f64> = 0.9..1.1;

/// Keeps the keys fresh until the process ends.
pub async fn keep(keyring: &Keyring, config: &TokensConfig, calls: Client, metrics: &Metrics) {
    calls.pool().view().wait_synced().await;
    loop {
        keyring.begin(Instant::now());
        let fetched = fetch(&calls, &config.path).await;
        metrics.keys_refreshed(match fetched {
            Ok(_) => "ok",
            Err(Trouble::Unreachable) => "unreachable",
            Err(Trouble::Bad) => "bad",
        });
        let good = fetched.ok();
        let pause = pause(config, good.is_some(), keyring.is_empty(), &mut rand::rng());
        keyring.end(good, Instant::now());
        // Late or wanted, both end the pause.
        let _ = tokio::time::timeout(pause, keyring.wanted()).await;
    }
}

/// How long the task rests when no token asks for more.
fn pause(config: &TokensConfig, good: bool, cold: bool, rng: &mut impl rand::Rng) -> Duration {
    if good {
        return config.refresh().mul_f64(rng.random_range(SPREAD));
    }
    let least = config.least_refresh();
    if cold { least.min(COLD) } else { least }
}

#[derive(Clone, Copy)]
enum Trouble {
    Unreachable,
    Bad,
}

async fn fetch(calls: &Client, path: &str) -> Result<KeySet, Trouble> {
    let document = calls.get(path).send::<Document>().await.map_err(|error| {
        tracing::warn!(%error, "the keys that sign tokens were not refreshed: those that are known stay");
        Trouble::Unreachable
    })?;
    KeySet::read(document).map_err(|reason| {
        tracing::error!(
            reason,
            "the published keys cannot be right: those that are known stay"
        );
        Trouble::Bad
    })
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    #[test]
    fn a_good_answer_is_followed_by_a_long_pause_and_a_bad_one_by_a_short_one() {
        let config = crate::config::shipped().tokens;
        let mut rng = StdRng::seed_from_u64(1);
        for _ in 0..1000 {
            let long = pause(&config, true, false, &mut rng);
            assert!(long >= config.refresh().mul_f64(0.9), "{long:?}");
            assert!(long <= config.refresh().mul_f64(1.1), "{long:?}");
        }
        assert_eq!(
            pause(&config, false, false, &mut rng),
            config.least_refresh()
        );
        assert_eq!(pause(&config, false, true, &mut rng), COLD);
    }
}
