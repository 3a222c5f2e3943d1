//! How the library tells of progress: a function that the caller gives.
//!
//! The binary prints the lines; tests keep quiet.

use std::fmt;
use std::sync::Arc;

/// Takes one line at a time.
#[derive(Clone)]
pub struct Reporter(Arc<dyn Fn(String) + Send + Sync>);

impl Reporter {
    pub fn new(tell: impl Fn(String) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// Says nothing.
    pub fn silent() -> Self {
        Self::new(drop)
    }

    pub fn say(&self, line: impl Into<String>) {
        (self.0)(line.into());
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Reporter")
    }
}
