//! Why no answer came, and whether the request may have reached the upstream.

use super::body::RequestBody;
use resilience::classify::Outcome;
use std::fmt;

/// A request without an answer.
#[derive(Debug)]
pub struct Failure {
    /// What happened.
    pub kind: FailureKind,
    /// False when nothing of the request was written: trying elsewhere is safe for any method.
    pub written: bool,
    body: Option<RequestBody>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The closed set of reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// Nobody listens at the address.
    ConnectRefused,
    /// The connection was not made in all the time that connecting has.
    ConnectTimeout,
    /// The connection broke before the answer's head.
    Reset,
    /// No head came in time, perhaps because no connection did.
    Timeout,
    /// The client's own body failed; the upstream is not to blame.
    RequestBody,
    /// Time was up while the client's own body was still awaited; the upstream is not to blame.
    RequestLate,
    /// The head cannot be read one way only.
    BadAnswer,
}

impl Failure {
    pub(super) fn new(kind: FailureKind, written: bool) -> Self {
        Self {
            kind,
            written,
            body: None,
            source: None,
        }
    }

    pub(super) fn because(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Keeps the body that was not sent.
    pub(super) fn unsent(mut self, body: RequestBody) -> Self {
        self.body = Some(body);
        self
    }

    /// The body, untouched, when nothing was written: it can go to another upstream.
    pub fn take_unsent(&mut self) -> Option<RequestBody> {
        self.body.take()
    }

    /// What the policies make of it.
    pub fn outcome(&self) -> Outcome {
        match self.kind {
            FailureKind::ConnectRefused => Outcome::ConnectRefused,
            FailureKind::ConnectTimeout => Outcome::ConnectTimeout,
            FailureKind::Timeout => Outcome::AttemptTimeout,
            FailureKind::Reset => Outcome::Reset,
            FailureKind::RequestBody | FailureKind::RequestLate => Outcome::CallerLeft,
            FailureKind::BadAnswer => Outcome::Answered {
                status: 502,
                retry_after: None,
            },
        }
    }

    /// `error.type` of the attempt's span and metric.
    pub fn error_type(&self) -> &'static str {
        match self.kind {
            FailureKind::ConnectRefused => "connection_refused",
            FailureKind::ConnectTimeout => "connect_timeout",
            FailureKind::Reset => "reset",
            FailureKind::Timeout => "timeout",
            FailureKind::RequestBody | FailureKind::RequestLate => "request_body",
            FailureKind::BadAnswer => "bad_answer",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.error_type())?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
