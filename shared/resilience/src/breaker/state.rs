//! The words of a breaker: its states, why they change, what an operator may decide, and a refusal.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Calls pass and are counted.
    Closed,
    /// A few probes pass.
    HalfOpen,
    /// Calls are refused.
    Open,
}

/// What an operator has decided about a breaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The rule decides.
    #[default]
    Auto,
    /// Every call is refused.
    ForcedOpen,
    /// Every call passes and none is counted.
    Disabled,
    /// Calls are counted and the state changes as it would, but nothing is refused.
    Observe,
}

/// Why a state changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A connection was refused.
    Refused,
    /// Too many failures in a row.
    ConsecutiveFailures,
    /// Too many slow calls in a row.
    ConsecutiveSlow,
    /// Too many failures in the window.
    FailureRate,
    /// Too many slow calls in the window.
    SlowRate,
    /// The open time is over.
    Waited,
    /// Enough probes succeeded.
    ProbesSucceeded,
    /// A probe failed.
    ProbeFailed,
    /// No more endpoints of the service may be ejected at once.
    EjectionLimit,
    /// An operator said so.
    Operator,
}

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
    /// Why.
    pub reason: Reason,
    /// When.
    pub at: Instant,
}

/// Why a call was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectReason {
    /// It is open.
    Open,
    /// It is half-open and every probe is under way.
    ProbesTaken,
    /// An operator holds it open.
    ForcedOpen,
}

/// A refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Why.
    pub reason: RejectReason,
    /// When another try makes sense.
    pub retry_after: Duration,
}

/// What a breaker looks like from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerStatus {
    /// What the operator decided.
    pub mode: Mode,
    /// Where it stands.
    pub state: State,
    /// Number of changes so far.
    pub generation: u64,
    /// While open: time until a probe may pass.
    pub opens_for: Option<Duration>,
    /// The last change.
    pub last: Option<Transition>,
}

impl State {
    /// The name, as metrics and answers write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

impl Reason {
    /// The name, as metrics and answers write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::ConsecutiveFailures => "consecutive_failures",
            Self::ConsecutiveSlow => "consecutive_slow",
            Self::FailureRate => "failure_rate",
            Self::SlowRate => "slow_rate",
            Self::Waited => "waited",
            Self::ProbesSucceeded => "probes_succeeded",
            Self::ProbeFailed => "probe_failed",
            Self::EjectionLimit => "ejection_limit",
            Self::Operator => "operator",
        }
    }
}

impl Mode {
    /// The name, as the admin API writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::ForcedOpen => "forced_open",
            Self::Disabled => "disabled",
            Self::Observe => "observe",
        }
    }
}

/// The name of no [`Mode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownMode;

impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(name: &str) -> Result<Self, UnknownMode> {
        [Self::Auto, Self::ForcedOpen, Self::Disabled, Self::Observe]
            .into_iter()
            .find(|mode| mode.as_str() == name)
            .ok_or(UnknownMode)
    }
}

impl fmt::Display for UnknownMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a breaker is auto, forced_open, disabled or observe")
    }
}

impl std::error::Error for UnknownMode {}
