//! What can go wrong in a call to the agent.
//!
//! One enum for every call, because every caller does the same with it: keep what it has, count the reason, back off.
//! No variant carries the token, and what the agent said is cut to one short line before it can reach a log.

use std::time::Duration;

use awc::error::{ConnectError, PayloadError, SendRequestError};

/// A call to the agent that brought no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection: refused, unresolved, or not made in time. Nothing was sent.
    #[error("cannot connect to the agent: {0}")]
    Connect(String),
    /// The whole call, body included, took longer than it may.
    #[error("no complete answer within {0:?}")]
    Timeout(Duration),
    /// The connection failed before the answer was complete.
    #[error("the connection to the agent failed: {0}")]
    Transport(String),
    /// The body is larger than the cap.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// Any status other than 200.
    #[error("the agent answered {status}: {text}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// The beginning of the agent's explanation.
        text: String,
    },
    /// The body is not the JSON that the call promises, or ends too early.
    #[error("the answer is not understood: {0}")]
    Malformed(String),
    /// There is more than the token may see, so what is missing may be there.
    #[error("the agent hides a part of the answer from this token")]
    Filtered,
}

/// As much of the agent's explanation as one log line needs.
const TEXT_LIMIT: usize = 200;

impl Error {
    /// The reason as a metric label: one of a closed set.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Timeout(_) => "timeout",
            Self::Transport(_) => "transport",
            Self::TooLarge(_) => "too_large",
            Self::Status { status: 403, .. } => "forbidden",
            Self::Status { status: 429, .. } => "too_many_requests",
            Self::Status {
                status: 500..=599, ..
            } => "server_error",
            Self::Status { .. } => "status",
            Self::Malformed(_) => "malformed",
            Self::Filtered => "filtered",
        }
    }

    pub(crate) fn status(status: u16, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(&body[..body.len().min(TEXT_LIMIT)]);
        let text: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        Self::Status {
            status,
            text: text.trim().to_owned(),
        }
    }

    pub(crate) fn send(error: SendRequestError, limit: Duration) -> Self {
        match error {
            SendRequestError::Connect(ConnectError::Timeout) => {
                Self::Connect("timed out".to_owned())
            }
            // awc says so of a connection that was made and then lost: something may have been sent.
            SendRequestError::Connect(ConnectError::Disconnected) => {
                Self::Transport("closed without an answer".to_owned())
            }
            SendRequestError::Connect(error) => Self::Connect(error.to_string()),
            SendRequestError::Timeout => Self::Timeout(limit),
            other => Self::Transport(other.to_string()),
        }
    }

    pub(crate) fn body(error: &PayloadError, limit: usize) -> Self {
        match error {
            PayloadError::Overflow => Self::TooLarge(limit),
            other => Self::Transport(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_agent_said_becomes_one_short_line() {
        let body = format!("No cluster leader\r\n{}", "x".repeat(1_000));
        let Error::Status { status, text } = Error::status(500, body.as_bytes()) else {
            panic!("a status error");
        };
        assert_eq!(status, 500);
        assert!(text.starts_with("No cluster leader  x") && text.len() <= TEXT_LIMIT);
    }

    #[test]
    fn reasons_are_a_closed_set() {
        assert_eq!(Error::status(403, b"").reason(), "forbidden");
        assert_eq!(Error::status(429, b"").reason(), "too_many_requests");
        assert_eq!(Error::status(503, b"").reason(), "server_error");
        assert_eq!(Error::status(418, b"").reason(), "status");
    }
}
