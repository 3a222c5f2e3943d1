//! One TOML per process, read in layers: defaults < file < environment.
//!
//! The common sections (`sections.rs`) belong to this crate, every other one to the process: an
//! unknown key is an error in either. A bad value is told as key, value and reason, before
//! anything binds. What a value *means* is left to the section's struct, which builds its object.

mod load;
mod secret;
mod sections;

pub use load::{Loaded, load};
pub use secret::Secret;
pub use sections::{Common, Drain, Faults, Identity, Server, Store};

/// A configuration value that cannot be used; the process ends with exit code 64.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bad configuration: {key} = {value}: {reason}")]
pub struct BadValue {
    /// Dotted path of the key, such as `server.public`.
    pub key: String,
    /// The value as it was written; secrets are shown as `***`.
    pub value: String,
    /// What is wrong with it.
    pub reason: String,
}

impl BadValue {
    /// A value refused by a process's own check.
    pub fn new(key: impl Into<String>, value: impl ToString, reason: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            value: value.to_string(),
            reason: reason.into(),
        }
    }
}
