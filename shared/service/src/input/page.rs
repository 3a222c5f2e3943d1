//! Which part of a list is asked for.

use serde::Deserialize;
use utoipa::IntoParams;

/// Rows of a page when the client does not say.
const DEFAULT_LIMIT: u32 = 20;
/// More rows in one answer would only make it slow; the client can read on.
const MAX_LIMIT: u32 = 100;
/// Longer than any id of ours.
const MAX_CURSOR: usize = 128;

/// `?limit=1..100&after=ID`.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// How many at most.
    #[serde(default)]
    #[param(value_type = u32, minimum = 1, maximum = 100, default = 20)]
    limit: Limit,
    /// The `after` of the page before.
    #[serde(default)]
    #[param(value_type = Option<String>, max_length = 128)]
    after: Option<Cursor>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "u32")]
struct Limit(u32);

#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
struct Cursor(String);

impl Page {
    /// How many rows.
    pub fn limit(&self) -> i64 {
        i64::from(self.limit.0)
    }

    /// The id after which the page starts.
    pub fn after(&self) -> Option<&str> {
        self.after.as_ref().map(|cursor| cursor.0.as_str())
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(DEFAULT_LIMIT)
    }
}

impl TryFrom<u32> for Limit {
    type Error = String;

    fn try_from(limit: u32) -> Result<Self, String> {
        if (1..=MAX_LIMIT).contains(&limit) {
            return Ok(Self(limit));
        }
        Err(format!("must be 1 to {MAX_LIMIT}, got {limit}"))
    }
}

impl TryFrom<String> for Cursor {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.len() <= MAX_CURSOR {
            return Ok(Self(text));
        }
        Err(format!("must have at most {MAX_CURSOR} bytes"))
    }
}
