//! What an outcome says about the one who was called.
//!
//! This file judges; it decides nothing and enforces nothing.
//! A verdict is about the *upstream*: what the client or the caller itself caused is [`Verdict::Neutral`].
//! A fast failure must not attract traffic, so a failed call is worth a latency penalty, not its short latency.

use std::time::Duration;

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A response head arrived.
    Answered {
        /// Its status.
        status: u16,
        /// Its `Retry-After`, where it had one.
        retry_after: Option<Duration>,
    },
    /// Nobody listens there: nothing was written.
    ConnectRefused,
    /// No connection in all the time that connecting has: nothing was written.
    ConnectTimeout,
    /// The connection broke before the response head.
    Reset,
    /// No response head in time, although the full timeout was given.
    AttemptTimeout,
    /// The response body ended before its end.
    BodyCut,
    /// The one who asked us went away.
    CallerLeft,
    /// The caller had been given less than the call's configured timeout, and that ran out.
    DeadlineShort,
    /// Our own limit, breaker or bulkhead refused it, or our own request was bad.
    NotSent,
}

/// What an outcome says about the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It works.
    Success,
    /// It failed.
    Failure,
    /// Nobody listens there: a failure that needs no second opinion.
    Refused,
    /// It asks for less: it should rest, and opens nothing; a probe that is told so has failed.
    Overloaded {
        /// For how long it asked to be left alone, capped; zero when it named no time.
        rest: Duration,
    },
    /// It says nothing about the upstream.
    Neutral,
}

/// Least latency recorded for a failed call: about two orders above a healthy answer, so that failing fast is never
/// cheaper than answering.
const PENALTY: Duration = Duration::from_secs(1);

/// Longest rest an upstream can ask for: half of the longest ejection, because asking politely should cost less than
/// failing.
const LONGEST_REST: Duration = Duration::from_secs(30);

impl Outcome {
    /// What it means where the upstream was given less time than its calls have: that the time ran out, as we saw it or
    /// as the upstream itself said, is nobody's failure then. Connecting has a time of its own: who ran out of all of it
    /// has failed.
    #[must_use]
    pub fn in_too_little_time(self) -> Self {
        match self {
            Self::AttemptTimeout | Self::Answered { status: 504, .. } => Self::DeadlineShort,
            other => other,
        }
    }

    /// The judgement.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match *self {
            Self::Answered {
                status: 429,
                retry_after,
            } => overloaded(retry_after.unwrap_or_default()),
            Self::Answered {
                status: 503,
                retry_after: Some(rest),
            } => overloaded(rest),
            Self::Answered { status: 500.., .. } => Verdict::Failure,
            Self::Answered { .. } => Verdict::Success,
            Self::ConnectRefused => Verdict::Refused,
            Self::ConnectTimeout | Self::Reset | Self::AttemptTimeout | Self::BodyCut => {
                Verdict::Failure
            }
            Self::CallerLeft | Self::DeadlineShort | Self::NotSent => Verdict::Neutral,
        }
    }

    /// What the call adds to the upstream's mean latency, if anything.
    #[must_use]
    pub fn sample(&self, elapsed: Duration) -> Option<Duration> {
        match self.verdict() {
            Verdict::Success => Some(elapsed),
            Verdict::Failure | Verdict::Refused | Verdict::Overloaded { .. } => {
                Some(elapsed.max(PENALTY))
            }
            Verdict::Neutral => None,
        }
    }

    /// The kind of failure, of a closed set; none for an answer, whose kind is its status.
    #[must_use]
    pub fn error_type(&self) -> Option<&'static str> {
        match self {
            Self::Answered { .. } => None,
            Self::ConnectRefused => Some("connection_refused"),
            Self::Reset => Some("connection_reset"),
            Self::ConnectTimeout | Self::AttemptTimeout => Some("timeout"),
            Self::BodyCut => Some("body_cut"),
            Self::CallerLeft => Some("cancelled"),
            Self::DeadlineShort => Some("deadline_exceeded"),
            Self::NotSent => Some("not_sent"),
        }
    }
}

fn overloaded(rest: Duration) -> Verdict {
    Verdict::Overloaded {
        rest: rest.min(LONGEST_REST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16) -> Outcome {
        Outcome::Answered {
            status,
            retry_after: None,
        }
    }

    #[test]
    fn a_client_error_is_a_working_upstream() {
        for status in [200, 204, 301, 304, 400, 401, 404, 409, 422, 499] {
            assert_eq!(answered(status).verdict(), Verdict::Success, "{status}");
        }
    }

    #[test]
    fn every_server_error_is_a_failure() {
        for status in [500, 501, 502, 503, 504, 599] {
            assert_eq!(answered(status).verdict(), Verdict::Failure, "{status}");
        }
    }

    #[test]
    fn asking_for_less_is_not_failing_and_the_rest_is_capped() {
        let minute = Some(Duration::from_secs(60));
        for status in [429, 503] {
            let outcome = Outcome::Answered {
                status,
                retry_after: minute,
            };
            assert_eq!(
                outcome.verdict(),
                Verdict::Overloaded { rest: LONGEST_REST }
            );
        }
        assert_eq!(
            answered(429).verdict(),
            Verdict::Overloaded {
                rest: Duration::ZERO
            }
        );
    }

    #[test]
    fn what_the_client_caused_is_neutral_and_leaves_no_latency() {
        for outcome in [
            Outcome::CallerLeft,
            Outcome::DeadlineShort,
            Outcome::NotSent,
        ] {
            assert_eq!(outcome.verdict(), Verdict::Neutral);
            assert_eq!(outcome.sample(Duration::from_millis(1)), None);
        }
    }

    #[test]
    fn who_had_too_little_time_did_not_fail_by_running_out_of_it() {
        for ran_out in [Outcome::AttemptTimeout, answered(504)] {
            assert_eq!(ran_out.in_too_little_time(), Outcome::DeadlineShort);
        }
        for other in [
            Outcome::ConnectRefused,
            Outcome::ConnectTimeout,
            Outcome::Reset,
            answered(500),
            answered(200),
        ] {
            assert_eq!(other.clone().in_too_little_time(), other);
        }
    }

    #[test]
    fn a_fast_failure_costs_a_second_and_a_slow_one_its_time() {
        assert_eq!(
            answered(500).sample(Duration::from_millis(1)),
            Some(PENALTY)
        );
        assert_eq!(
            Outcome::AttemptTimeout.sample(Duration::from_secs(3)),
            Some(Duration::from_secs(3))
        );
        assert_eq!(
            answered(200).sample(Duration::from_millis(1)),
            Some(Duration::from_millis(1))
        );
    }
}
