//! A moment as people and programs write it: Unix milliseconds, or RFC 3339.

use super::refused::{BadFault, bad};
use serde::{Deserialize, Serialize};
use std::fmt::{self, Display};
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A moment as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Moment {
    /// Unix milliseconds.
    Millis(u64),
    /// RFC 3339.
    Text(String),
}

impl Moment {
    /// # Errors
    /// It is none.
    pub(super) fn time(&self) -> Result<SystemTime, BadFault> {
        match self {
            Self::Millis(millis) => SystemTime::UNIX_EPOCH
                .checked_add(Duration::from_millis(*millis))
                .map_or_else(|| bad("until", millis, "is no moment"), Ok),
            Self::Text(text) => OffsetDateTime::parse(text, &Rfc3339)
                .map(SystemTime::from)
                .or_else(|_| {
                    bad(
                        "until",
                        text,
                        "write Unix milliseconds or RFC 3339, such as 2026-01-31T12:00:00Z",
                    )
                }),
        }
    }
}

impl Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Millis(millis) => millis.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}
