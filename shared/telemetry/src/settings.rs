//! What a process may configure about its telemetry, and who it says it is.
//!
//! [`Settings`] is the `[telemetry]` section of every process's TOML.
//! [`Resource`] is not configured here: the process knows it, and every span and the build metric carry it.

use serde::Deserialize;

/// The `[telemetry]` section.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Base URL of an OTLP/HTTP collector, such as `http://127.0.0.1:4318`; absent or empty exports nothing.
    ///
    /// Trace ids exist without it: they are passed on, logged and returned to clients.
    pub otlp_endpoint: Option<String>,
    /// The share of new traces that is sampled; a trace that a trusted caller began keeps the caller's decision.
    pub sample_ratio: Ratio,
    /// What is logged, in `tracing`'s filter syntax: `info`, or `info,gateway=debug`.
    pub log: String,
    /// How log lines look.
    pub log_format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// [`Pretty`](Self::Pretty) where stdout is a terminal, [`Json`](Self::Json) elsewhere.
    #[default]
    Auto,
    /// One JSON object per line, for machines.
    Json,
    /// Coloured text, for people.
    Pretty,
}

/// A share between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub struct Ratio(f64);

/// The process, as its spans and its build metric name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The service's name in Consul.
    pub service: String,
    /// The version of the build.
    pub version: String,
    /// The Consul service id of this instance.
    pub instance: String,
    /// The zone this instance runs in.
    pub zone: String,
    /// `development`, `production`, ...
    pub environment: String,
}

impl Ratio {
    /// Everything.
    pub const ALL: Self = Self(1.0);

    /// The share as a number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Ratio {
    type Error = String;

    fn try_from(share: f64) -> Result<Self, Self::Error> {
        if (0.0..=1.0).contains(&share) {
            Ok(Self(share))
        } else {
            Err(format!("{share} is not a share between 0 and 1"))
        }
    }
}

impl Settings {
    /// The collector's base URL, if one is configured.
    pub(crate) fn endpoint(&self) -> Option<&str> {
        self.otlp_endpoint.as_deref().filter(|url| !url.is_empty())
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            otlp_endpoint: None,
            sample_ratio: Ratio::ALL,
            log: "info".into(),
            log_format: LogFormat::Auto,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Settings, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn an_empty_section_is_the_default() {
        assert_eq!(parse("{}").unwrap(), Settings::default());
    }

    #[test]
    fn unknown_keys_and_impossible_shares_are_refused() {
        assert!(parse(r#"{"sample_rate": 1.0}"#).is_err());
        assert!(parse(r#"{"sample_ratio": 1.5}"#).is_err());
        assert!(parse(r#"{"sample_ratio": -0.1}"#).is_err());
        assert!(parse(r#"{"log_format": "xml"}"#).is_err());
    }

    #[test]
    fn an_empty_endpoint_switches_exporting_off() {
        let off = parse(r#"{"otlp_endpoint": ""}"#).unwrap();
        assert_eq!(off.endpoint(), None);
    }
}
