//! Why a call did not succeed: where it failed, what to tell, when another try makes sense.
//!
//! Whether it is tried again is decided from the outcome and the method (`resilience::retry`), not from here.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// Where a failure arose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// This process refused: open breaker, nobody to call, no time left.
    Own,
    /// The way to the upstream: refused, reset, timed out.
    Transport,
    /// The upstream answered with an error.
    Upstream,
}

/// A failed call.
#[derive(Debug, Clone)]
pub struct Error {
    /// Where it failed.
    pub origin: Origin,
    /// Stable, snake_case; the upstream's own code if it sent one.
    pub code: Cow<'static, str>,
    /// The HTTP status that says it.
    pub status: u16,
    /// False when nothing of the call was sent, so that it certainly did not happen.
    pub written: bool,
    /// When another try makes sense.
    pub retry_after: Option<Duration>,
    /// One sentence.
    pub detail: String,
    /// The field that the upstream complained about.
    pub field: Option<String>,
}

/// When to come back where only running calls stand in the way: about as long as one takes.
const SOON: Duration = Duration::from_secs(1);

impl Error {
    /// 503: the upstream's breaker is open.
    pub fn circuit_open(upstream: &str, retry_after: Duration) -> Self {
        let detail = format!("{upstream} is failing; calls to it are held back");
        Self::own(503, "circuit_open", detail).after(retry_after)
    }

    /// 503: an operator holds the upstream's breaker open, whether it fails or not. To a client the code is the same.
    pub fn forced_open(upstream: &str, retry_after: Duration) -> Self {
        let detail = format!("an operator holds back calls to {upstream}");
        Self::own(503, "circuit_open", detail).after(retry_after)
    }

    /// 503: no endpoint may be used.
    pub fn no_endpoint(upstream: &str, retry_after: Duration) -> Self {
        Self::own(
            503,
            "no_endpoint",
            format!("no instance of {upstream} can be used"),
        )
        .after(retry_after)
    }

    /// 503: as many attempts run as may run at a time.
    pub fn bulkhead_full(upstream: &str) -> Self {
        let detail = format!("too many calls to {upstream} are running");
        Self::own(503, "bulkhead_full", detail).after(SOON)
    }

    /// The code, where it is one of this process's own words.
    pub(crate) fn own_code(&self) -> &'static str {
        match self.code {
            Cow::Borrowed(code) => code,
            Cow::Owned(_) => "upstream_error",
        }
    }

    /// 500: the call itself was made wrongly, and was not sent.
    pub fn not_sendable(upstream: &str, why: impl fmt::Display) -> Self {
        let detail = format!("the call to {upstream} could not be made: {why}");
        Self::own(500, "upstream_call_invalid", detail)
    }

    /// 504: the caller's own time was up.
    pub fn deadline_exceeded(upstream: &str) -> Self {
        Self::own(
            504,
            "deadline_exceeded",
            format!("the time given was used up before {upstream} answered"),
        )
    }

    /// 504: the upstream did not answer in its time.
    pub fn timeout(upstream: &str) -> Self {
        Self::transport(
            504,
            "upstream_timeout",
            format!("{upstream} did not answer in time"),
        )
    }

    /// 502: the upstream could not be reached, or broke off.
    pub fn unreachable(upstream: &str, why: impl fmt::Display) -> Self {
        Self::transport(
            502,
            "upstream_unreachable",
            format!("{upstream} could not be reached: {why}"),
        )
    }

    /// 502: the upstream's answer makes no sense.
    pub fn bad_answer(upstream: &str, why: impl fmt::Display) -> Self {
        Self::transport(
            502,
            "upstream_bad_answer",
            format!("{upstream} answered badly: {why}"),
        )
    }

    fn own(status: u16, code: &'static str, detail: String) -> Self {
        Self::at(Origin::Own, status, code, detail)
    }

    fn transport(status: u16, code: &'static str, detail: String) -> Self {
        Self {
            written: true,
            ..Self::at(Origin::Transport, status, code, detail)
        }
    }

    fn at(origin: Origin, status: u16, code: &'static str, detail: String) -> Self {
        Self {
            origin,
            code: Cow::Borrowed(code),
            status,
            written: false,
            retry_after: None,
            detail,
            field: None,
        }
    }

    fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl std::error::Error for Error {}
