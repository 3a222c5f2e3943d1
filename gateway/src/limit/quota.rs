//! How much a client may ask, as configuration says it, and what is left of it, as answers say it.

use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use resilience::limiter::Rate;
use serde::Deserialize;

const RATELIMIT_LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const RATELIMIT_REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RATELIMIT_RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// `[limits]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsConfig {
    /// Clients that are told apart in one limit; beyond it new ones share one.
    pub max_keys: usize,
    pub address: Quota,
    pub groups: BTreeMap<String, Quota>,
}

/// So many requests in so much time.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    pub requests: NonZeroU32,
    pub per_ms: NonZeroU32,
    /// At once, after a pause.
    pub burst: NonZeroU32,
}

impl Quota {
    /// In the words of the policy.
    pub fn rate(self) -> Rate {
        Rate {
            cells: self.requests,
            per: Duration::from_millis(self.per_ms.get().into()),
            burst: self.burst,
        }
    }

    /// The same shape with another number of requests.
    pub fn with_requests(self, requests: NonZeroU32) -> Self {
        let burst = u64::from(self.burst.get()) * u64::from(requests.get())
            / u64::from(self.requests.get());
        let burst = u32::try_from(burst)
            .ok()
            .and_then(NonZeroU32::new)
            .unwrap_or(requests);
        Self {
            requests,
            burst,
            ..self
        }
    }
}

/// What is left to a client, as the answer's headers say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    pub limit: u32,
    pub remaining: u32,
    pub reset: Duration,
}

impl Allowance {
    /// `RateLimit-*`; the reset is rounded up, as every promise to a client is.
    pub fn write(&self, headers: &mut HeaderMap) {
        headers.insert(RATELIMIT_LIMIT, HeaderValue::from(self.limit));
        headers.insert(RATELIMIT_REMAINING, HeaderValue::from(self.remaining));
        headers.insert(
            RATELIMIT_RESET,
            HeaderValue::from(whole_seconds(self.reset)),
        );
    }
}

fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
