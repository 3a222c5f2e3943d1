//! `[tokens]`: who issues tokens, and how often their keys are asked for.

use std::time::Duration;

use serde::Deserialize;
use service::BadValue;

use super::claims::Expected;

/// The section.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokensConfig {
    /// The service that publishes the keys.
    pub upstream: String,
    /// Where.
    pub path: String,
    /// What `iss` must say.
    pub issuer: String,
    /// What `aud` must say, or name among others.
    pub audience: String,
    /// How far clocks may be apart.
    pub leeway_s: u64,
    /// How often the keys are asked for when nothing happens.
    pub refresh_ms: u64,
    /// How often at most, whatever clients send.
    pub least_refresh_ms: u64,
}

/// A clock that is further off is broken, and every second here is one that an expired token lives on.
const MOST_LEEWAY_S: u64 = 60;
/// A key that was taken out of the set is believed for at most so long.
const LONGEST_REFRESH_MS: u64 = 86_400_000;
/// Below it the bound is none.
const SHORTEST_LEAST_MS: u64 = 100;

impl TokensConfig {
    pub fn refresh(&self) -> Duration {
        Duration::from_millis(self.refresh_ms)
    }

    pub fn least_refresh(&self) -> Duration {
        Duration::from_millis(self.least_refresh_ms)
    }

    /// What must be true of every token.
    pub fn expected(&self) -> Expected {
        Expected {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            leeway_s: self.leeway_s,
        }
    }

    /// # Errors
    /// The first value that the types allow and that cannot work.
    pub fn check(&self) -> Result<(), BadValue> {
        let bad = |key: &str, value: &dyn ToString, reason: String| {
            Err(BadValue::new(
                format!("tokens.{key}"),
                value.to_string(),
                reason,
            ))
        };
        for (key, value) in [("issuer", &self.issuer), ("audience", &self.audience)] {
            if value.is_empty() {
                return bad(
                    key,
                    value,
                    "must name somebody: an empty name is everybody's".into(),
                );
            }
        }
        if !self.path.starts_with('/') {
            return bad("path", &self.path, "must begin with /".into());
        }
        if self.leeway_s > MOST_LEEWAY_S {
            return bad(
                "leeway_s",
                &self.leeway_s,
                format!("must be at most {MOST_LEEWAY_S}"),
            );
        }
        if !(SHORTEST_LEAST_MS..=LONGEST_REFRESH_MS).contains(&self.least_refresh_ms) {
            let reason = format!("must be {SHORTEST_LEAST_MS} to {LONGEST_REFRESH_MS}");
            return bad("least_refresh_ms", &self.least_refresh_ms, reason);
        }
        if !(self.least_refresh_ms..=LONGEST_REFRESH_MS).contains(&self.refresh_ms) {
            let reason = format!("must be tokens.least_refresh_ms to {LONGEST_REFRESH_MS}");
            return bad("refresh_ms", &self.refresh_ms, reason);
        }
        Ok(())
    }
}
