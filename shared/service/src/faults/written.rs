//! A fault as people write it, in JSON: `{"kind":"latency","ms":2000,"percent":50,"for_s":30}`.
//!
//! Through the admin API a fault lasts `for_s` seconds or until a moment; a stored one (Consul's KV)
//! must name the moment, because it would begin anew with each process that reads it.
//! What is wrong is told as field, value and reason.

use super::fault::{Effect, Fault, Kind, LONGEST, Only};
use super::moment::Moment;
use super::refused::{BadFault, bad, needed, within};
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime};

/// Waits are drills, not sleeps of an hour.
const LONGEST_WAIT_MS: u32 = 600_000;
/// A dripping answer's pause when none is named: 10 bytes a second is slow and still moving.
const DRIP_MS: u32 = 100;
/// The status of an injected error when none is named.
const STATUS: u16 = 500;

/// The fields; which of them a kind takes is checked by [`Written::check`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// What is to happen. Needed.
    pub kind: Option<Kind>,
    /// How long, for `latency`, `drip` (between bytes) and `database`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ms: Option<u32>,
    /// Either way around `ms`, for `latency`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter_ms: Option<u32>,
    /// For `error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What `/readyz` is to say, for `health`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<bool>,
    /// Of requests or statements; 100 unless said otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
    /// Requests of this method alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Requests whose path begins so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Seconds from now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_s: Option<u32>,
    /// A moment: Unix milliseconds, or RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
}

impl Written {
    /// The fault that is meant, for the admin API.
    ///
    /// # Errors
    /// The first field that is missing, out of range, over already, or no setting of this kind.
    pub fn check(self, now: SystemTime) -> Result<Fault, BadFault> {
        let (for_s, until) = (self.for_s, self.until.clone());
        let ends = match (for_s, until) {
            (Some(seconds), None) => now + Duration::from_secs(seconds.into()),
            (None, Some(moment)) => moment.time()?,
            (None, None) => return bad("for_s", "(missing)", "a fault must end: for_s or until"),
            (Some(seconds), Some(_)) => {
                return bad("for_s", seconds, "for_s and until exclude each other");
            }
        };
        if ends <= now {
            let (field, value) = self.end();
            return bad(field, value, "is over already");
        }
        self.ending(ends, now)
    }

    /// The fault that is meant, for stored values; one that is over is still a good one.
    ///
    /// # Errors
    /// As for [`Written::check`], and `for_s`.
    pub fn check_stored(self, now: SystemTime) -> Result<Fault, BadFault> {
        if let Some(seconds) = self.for_s {
            return bad(
                "for_s",
                seconds,
                "would begin anew with each start: say until when",
            );
        }
        let ends = match &self.until {
            Some(moment) => moment.time()?,
            None => return bad("until", "(missing)", "a fault must end"),
        };
        self.ending(ends, now)
    }

    fn end(&self) -> (&'static str, String) {
        match (&self.until, self.for_s) {
            (Some(moment), _) => ("until", moment.to_string()),
            (None, seconds) => ("for_s", seconds.unwrap_or_default().to_string()),
        }
    }

    fn ending(mut self, until: SystemTime, now: SystemTime) -> Result<Fault, BadFault> {
        if until > now + LONGEST {
            let (field, value) = self.end();
            return bad(
                field,
                value,
                format!("at most {} s from now", LONGEST.as_secs()),
            );
        }
        let Some(kind) = self.kind else {
            let kinds = Kind::ALL.map(Kind::as_str).join(", ");
            return bad("kind", "(missing)", format!("one of {kinds}"));
        };
        let effect = match kind {
            Kind::Latency => {
                let wait = within("ms", needed("ms", self.ms.take())?, 1, LONGEST_WAIT_MS)?;
                let jitter = within("jitter_ms", self.jitter_ms.take().unwrap_or(0), 0, wait)?;
                Effect::Latency {
                    wait: millis(wait),
                    jitter: millis(jitter),
                }
            }
            Kind::Error => {
                let status = self.status.take().unwrap_or(STATUS);
                Effect::Error {
                    status: within("status", status, 400, 599)?,
                }
            }
            Kind::Hang => Effect::Hang,
            Kind::Drip => {
                let every = self.ms.take().unwrap_or(DRIP_MS);
                Effect::Drip {
                    every: millis(within("ms", every, 1, LONGEST_WAIT_MS)?),
                }
            }
            Kind::Health => Effect::Health {
                ready: needed("ready", self.ready.take())?,
            },
            Kind::Connections => Effect::Connections,
            Kind::Database => {
                let wait = needed("ms", self.ms.take())?;
                Effect::Database {
                    wait: millis(within("ms", wait, 1, LONGEST_WAIT_MS)?),
                }
            }
            Kind::Down => Effect::Down,
        };
        let mut percent = 100;
        if kind.strikes_requests() || kind == Kind::Database {
            percent = within("percent", self.percent.take().unwrap_or(100), 1, 100)?;
        }
        let mut only = Only::default();
        if kind.strikes_requests() {
            only = Only {
                method: self.method.take().map(method).transpose()?,
                path: self.path.take().map(path).transpose()?,
            };
        }
        self.nothing_else(kind)?;
        Ok(Fault {
            effect,
            percent,
            only,
            until,
        })
    }

    /// Whatever was not taken is no setting of this kind.
    fn nothing_else(self, kind: Kind) -> Result<(), BadFault> {
        let left = [
            ("ms", self.ms.map(|value| value.to_string())),
            ("jitter_ms", self.jitter_ms.map(|value| value.to_string())),
            ("status", self.status.map(|value| value.to_string())),
            ("ready", self.ready.map(|value| value.to_string())),
            ("percent", self.percent.map(|value| value.to_string())),
            ("method", self.method),
            ("path", self.path),
        ];
        match left
            .into_iter()
            .find_map(|(field, value)| Some((field, value?)))
        {
            Some((field, value)) => {
                bad(field, value, format!("is no setting of {}", kind.as_str()))
            }
            None => Ok(()),
        }
    }
}

fn method(name: String) -> Result<String, BadFault> {
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase());
    if plain {
        Ok(name)
    } else {
        bad("method", name, "write it in capitals, such as GET")
    }
}

fn path(prefix: String) -> Result<String, BadFault> {
    if prefix.starts_with('/') {
        Ok(prefix)
    } else {
        bad("path", prefix, "must begin with /")
    }
}

fn millis(millis: u32) -> Duration {
    Duration::from_millis(millis.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::stored::read;
    use super::*;
    use serde_json::{Value, json};

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    fn asked(json: Value) -> Result<Fault, BadFault> {
        read(json)?.check(now())
    }

    #[test]
    fn each_kind_is_read_with_its_own_settings() {
        for (written, effect) in [
            (
                json!({"kind": "latency", "ms": 2000, "jitter_ms": 500}),
                Effect::Latency {
                    wait: millis(2000),
                    jitter: millis(500),
                },
            ),
            (json!({"kind": "error"}), Effect::Error { status: 500 }),
            (
                json!({"kind": "error", "status": 503}),
                Effect::Error { status: 503 },
            ),
            (json!({"kind": "hang"}), Effect::Hang),
            (json!({"kind": "drip"}), Effect::Drip { every: millis(100) }),
            (
                json!({"kind": "health", "ready": false}),
                Effect::Health { ready: false },
            ),
            (json!({"kind": "connections"}), Effect::Connections),
            (
                json!({"kind": "database", "ms": 50}),
                Effect::Database { wait: millis(50) },
            ),
            (json!({"kind": "down"}), Effect::Down),
        ] {
            let mut written = written;
            written["for_s"] = json!(30);
            let fault = asked(written).unwrap();
            assert_eq!(fault.effect, effect);
            assert_eq!(fault.until, now() + Duration::from_secs(30));
        }
    }

    #[test]
    fn whatever_is_wrong_is_told_by_field_and_value() {
        for (written, field, value) in [
            (json!({"for_s": 1}), "kind", "(missing)"),
            (json!({"kind": "slow", "for_s": 1}), "kind", "\"slow\""),
            (json!({"kind": "latency", "for_s": 1}), "ms", "(missing)"),
            (json!({"kind": "latency", "ms": 0, "for_s": 1}), "ms", "0"),
            (json!({"kind": "latency", "ms": -1, "for_s": 1}), "ms", "-1"),
            (
                json!({"kind": "latency", "ms": 10, "jitter_ms": 11, "for_s": 1}),
                "jitter_ms",
                "11",
            ),
            (
                json!({"kind": "error", "status": 200, "for_s": 1}),
                "status",
                "200",
            ),
            (
                json!({"kind": "error", "percent": 0, "for_s": 1}),
                "percent",
                "0",
            ),
            (
                json!({"kind": "error", "percent": 101, "for_s": 1}),
                "percent",
                "101",
            ),
            (json!({"kind": "error", "ms": 5, "for_s": 1}), "ms", "5"),
            (
                json!({"kind": "hang", "method": "get", "for_s": 1}),
                "method",
                "get",
            ),
            (
                json!({"kind": "hang", "path": "orders", "for_s": 1}),
                "path",
                "orders",
            ),
            (json!({"kind": "health", "for_s": 1}), "ready", "(missing)"),
            (
                json!({"kind": "down", "percent": 50, "for_s": 1}),
                "percent",
                "50",
            ),
            (
                json!({"kind": "database", "ms": 5, "path": "/", "for_s": 1}),
                "path",
                "/",
            ),
            (json!({"kind": "down"}), "for_s", "(missing)"),
            (json!({"kind": "down", "for_s": 0}), "for_s", "0"),
            (json!({"kind": "down", "for_s": 3601}), "for_s", "3601"),
            (
                json!({"kind": "down", "for_s": 1, "until": 1}),
                "for_s",
                "1",
            ),
            (
                json!({"kind": "down", "until": "tomorrow"}),
                "until",
                "tomorrow",
            ),
            (
                json!({"kind": "down", "until": 1_799_999_999_000_u64}),
                "until",
                "1799999999000",
            ),
            (
                json!({"kind": "down", "colour": 1, "for_s": 1}),
                "colour",
                "1",
            ),
            (json!(["down"]), "(value)", "[\"down\"]"),
        ] {
            let bad = asked(written.clone()).expect_err(&written.to_string());
            assert_eq!(
                (bad.field.as_str(), bad.value.as_str()),
                (field, value),
                "{bad}"
            );
        }
    }
}
