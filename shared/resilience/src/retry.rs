//! Whether a failed attempt may be made again, and what retries may cost altogether.
//!
//! Only the gateway retries, since nested retries multiply; services call once.
//! [`Retry::decide`] answers for one request and says why not, in an order that takes from the [`Budget`] last: a
//! retry that is not allowed costs nothing.
//! The budget bounds the load that retries add under any failure pattern: attempts never exceed 1.2 times the requests
//! plus three a second.

mod budget;

use std::time::{Duration, Instant};

use rand::Rng;

pub use self::budget::Budget;
use crate::backoff::Backoff;
use crate::classify::Outcome;

/// The rule for retries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Most attempts after the first.
    pub most: u32,
    /// Longest wait for a response head while another attempt is possible.
    pub attempt_timeout: Duration,
    /// Waits between attempts.
    pub backoff: Backoff,
    /// Whether an empty budget refuses. False is for showing what it prevents.
    pub budgeted: bool,
}

/// What is known when an attempt has failed.
#[derive(Clone, Debug)]
pub struct Attempted<'a> {
    /// Whether the request may be made twice ([`idempotent`]).
    pub idempotent: bool,
    /// How the attempt ended.
    pub outcome: &'a Outcome,
    /// Whether any byte of the request was written to a connection.
    pub written: bool,
    /// Whether the request's body is still there to be sent again.
    pub replayable: bool,
    /// Whether the client has been sent any byte of an answer.
    pub answer_begun: bool,
    /// Attempts made so far.
    pub attempts: u32,
    /// Time left for the whole request.
    pub remaining: Duration,
}

/// Why there is no further attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The outcome is an answer, or nothing that another attempt could better.
    Final,
    /// The request may not be made twice, and some of it was written.
    NotIdempotent,
    /// The body is gone.
    NotReplayable,
    /// The client has the first byte.
    AnswerBegun,
    /// Enough attempts were made.
    AttemptsUsed,
    /// The time left is too short.
    Deadline,
    /// Retries have used up their share.
    Budget,
}

/// Whether a request may be made twice: by its method, or because it carries a key on a route that honours it
/// (`keyed`).
#[must_use]
pub fn idempotent(method: &str, keyed: bool) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE") || (method == "POST" && keyed)
}

impl Retry {
    /// How long to wait before the next attempt, or why there is none. Takes from the budget when it allows one.
    ///
    /// # Errors
    /// The first [`Refusal`] that applies.
    pub fn decide(
        &self,
        attempted: &Attempted<'_>,
        budget: &Budget,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> Result<Duration, Refusal> {
        let asked = asked_to_wait(attempted.outcome).ok_or(Refusal::Final)?;
        if attempted.answer_begun {
            return Err(Refusal::AnswerBegun);
        }
        if attempted.written && !attempted.idempotent {
            return Err(Refusal::NotIdempotent);
        }
        if !attempted.replayable {
            return Err(Refusal::NotReplayable);
        }
        let retries = attempted.attempts.saturating_sub(1);
        if retries >= self.most {
            return Err(Refusal::AttemptsUsed);
        }
        let wait = if *attempted.outcome == Outcome::ConnectRefused && retries == 0 {
            Duration::ZERO
        } else {
            self.backoff.delay(retries, rng).max(asked)
        };
        if wait >= attempted.remaining {
            return Err(Refusal::Deadline);
        }
        if budget.take(now) || !self.budgeted {
            Ok(wait)
        } else {
            Err(Refusal::Budget)
        }
    }

    /// How long to wait for the head of this attempt: short enough, where another is possible, for a frozen instance
    /// not to use up the deadline.
    #[must_use]
    pub fn attempt_timeout(&self, remaining: Duration, another: bool) -> Duration {
        if another {
            self.attempt_timeout.min(remaining / 2)
        } else {
            remaining
        }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            most: 2,
            attempt_timeout: Duration::from_secs(1),
            backoff: Backoff::new(Duration::from_millis(25), Duration::from_millis(250)),
            budgeted: true,
        }
    }
}

impl Refusal {
    /// The name, as metrics write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Final => "final",
            Self::NotIdempotent => "not_idempotent",
            Self::NotReplayable => "not_replayable",
            Self::AnswerBegun => "answer_begun",
            Self::AttemptsUsed => "attempts_used",
            Self::Deadline => "deadline",
            Self::Budget => "budget",
        }
    }
}

/// For an outcome that another attempt could better: the wait that the upstream asked for.
fn asked_to_wait(outcome: &Outcome) -> Option<Duration> {
    match *outcome {
        Outcome::ConnectRefused
        | Outcome::ConnectTimeout
        | Outcome::Reset
        | Outcome::AttemptTimeout => Some(Duration::ZERO),
        Outcome::Answered {
            status: 501 | 505, ..
        } => None,
        Outcome::Answered {
            status: 429,
            retry_after,
        } => retry_after,
        Outcome::Answered {
            status: 503,
            retry_after,
        } => Some(retry_after.unwrap_or_default()),
        Outcome::Answered { status: 500.., .. } => Some(Duration::ZERO),
        Outcome::Answered { .. }
        | Outcome::BodyCut
        | Outcome::CallerLeft
        | Outcome::DeadlineShort
        | Outcome::NotSent => None,
    }
}
