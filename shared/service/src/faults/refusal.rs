//! Why a good fault is not set here and now.

use super::Kind;
use crate::Error;

/// More at once is a mistake of a script.
pub(super) const MOST: usize = 32;

/// Why a fault was not set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// `faults.enabled` is off.
    #[error("faults.enabled is false: nothing is broken on purpose here")]
    Disabled,
    /// This process has nothing that such a fault could strike.
    #[error("{} does not apply to this process", .0.as_str())]
    OutOfReach(Kind),
    /// There are enough.
    #[error("at most {MOST} faults at once")]
    TooMany,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::Disabled => Self::new(403, "faults_disabled", detail),
            Refusal::OutOfReach(_) => Self::invalid("kind", detail),
            Refusal::TooMany => Self::conflict("too_many_faults", detail),
        }
    }
}
