//! What is wrong with a fault as it was written: field, value, reason.

use crate::Error;
use std::fmt::Display;

/// Why a fault cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} = {value}: {reason}")]
pub struct BadFault {
    /// The field that is wrong, such as `percent` or `[1].until`.
    pub field: String,
    /// What was written there.
    pub value: String,
    /// What is wrong with it.
    pub reason: String,
}

impl BadFault {
    /// The same, for the fault at this place of a list.
    #[must_use]
    pub(crate) fn at(mut self, index: usize) -> Self {
        self.field = format!("[{index}].{}", self.field);
        self
    }
}

impl From<BadFault> for Error {
    fn from(bad: BadFault) -> Self {
        Self::invalid(bad.field, format!("{}: {}", bad.value, bad.reason))
    }
}

pub(super) fn needed<T>(field: &str, value: Option<T>) -> Result<T, BadFault> {
    value.map_or_else(|| bad(field, "(missing)", "is needed"), Ok)
}

pub(super) fn within<N: PartialOrd + Display>(
    field: &str,
    value: N,
    least: N,
    most: N,
) -> Result<N, BadFault> {
    if value < least || value > most {
        return bad(field, value, format!("must be {least} to {most}"));
    }
    Ok(value)
}

pub(super) fn bad<T>(
    field: &str,
    value: impl Display,
    reason: impl Into<String>,
) -> Result<T, BadFault> {
    Err(BadFault {
        field: field.to_owned(),
        value: value.to_string(),
        reason: reason.into(),
    })
}
