//! A fault that was set: its id, where it came from, and its end on the clock that nobody can turn back.

use super::fault::{Effect, Fault};
use super::moment::Moment;
use super::written::Written;
use serde::Serialize;
use std::time::{Duration, Instant, SystemTime};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// One fault, set.
#[derive(Debug, Clone, PartialEq)]
pub struct Active {
    /// Unique in this process.
    pub id: u64,
    /// Who may take it away again.
    pub origin: Origin,
    /// What it does.
    pub fault: Fault,
    /// `fault.until`, as it was when the fault was set.
    pub expires: Instant,
}

/// Where a fault came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Set through the admin API.
    Admin,
    /// Read from Consul's KV store.
    Kv,
}

/// How a fault is shown.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    /// For `DELETE /faults/{id}`.
    pub id: String,
    /// Where it came from.
    pub origin: Origin,
    /// As it could have been written.
    #[serde(flatten)]
    pub fault: Written,
    /// Seconds until it ends by itself, rounded up.
    pub left_s: u64,
}

impl Active {
    pub(super) fn new(
        id: u64,
        origin: Origin,
        fault: Fault,
        now: Instant,
        clock: SystemTime,
    ) -> Self {
        let left = fault.until.duration_since(clock).unwrap_or_default();
        Self {
            id,
            origin,
            fault,
            expires: now + left,
        }
    }

    pub(super) fn shown(&self, now: Instant) -> Shown {
        Shown {
            id: self.id.to_string(),
            origin: self.origin,
            fault: written(&self.fault),
            left_s: crate::error::whole_seconds(self.expires.saturating_duration_since(now)),
        }
    }
}

/// The way back: what one would write to get this fault.
fn written(fault: &Fault) -> Written {
    let blank = Written {
        kind: Some(fault.kind()),
        percent: (fault.percent < 100).then_some(fault.percent),
        method: fault.only.method.clone(),
        path: fault.only.path.clone(),
        until: rfc3339(fault.until).map(Moment::Text),
        ..Written::default()
    };
    match fault.effect {
        Effect::Latency { wait, jitter } => Written {
            ms: Some(millis(wait)),
            jitter_ms: (!jitter.is_zero()).then(|| millis(jitter)),
            ..blank
        },
        Effect::Error { status } => Written {
            status: Some(status),
            ..blank
        },
        Effect::Drip { every } => Written {
            ms: Some(millis(every)),
            ..blank
        },
        Effect::Health { ready } => Written {
            ready: Some(ready),
            ..blank
        },
        Effect::Database { wait } => Written {
            ms: Some(millis(wait)),
            ..blank
        },
        Effect::Hang | Effect::Connections | Effect::Down => blank,
    }
}

fn rfc3339(moment: SystemTime) -> Option<String> {
    let moment = OffsetDateTime::from(moment).truncate_to_millisecond();
    moment.format(&Rfc3339).ok()
}

fn millis(wait: Duration) -> u32 {
    u32::try_from(wait.as_millis()).unwrap_or(u32::MAX)
}
