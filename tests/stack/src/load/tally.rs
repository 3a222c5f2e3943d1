//! What is remembered while a load runs: a latency for each request, counts for each second, a few examples of what went wrong.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::journey::Step;
use super::outcome::Outcome;
use crate::client::{Answer, Failure};

/// Examples kept of each kind of error: the first say more than the last.
const EXAMPLES: usize = 5;

/// How a request can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A status that the route does not declare.
    Status(u16),
    /// `"partial": true`.
    Partial,
    Timeout,
    Connect,
    /// Reset or cut off.
    Broken,
    /// Never sent: too many were unanswered.
    Dropped,
}

/// One that went wrong.
#[derive(Clone, Debug, Serialize)]
pub struct Example {
    pub second: u64,
    pub path: String,
    pub what: String,
    pub instance: Option<String>,
    pub trace: Option<String>,
}

/// One finished request.
#[derive(Debug)]
pub struct Sample {
    route: &'static str,
    second: u64,
    latency: Duration,
    zone: Option<String>,
    error: Option<(Kind, Example)>,
    outcome: Outcome,
}

/// When a request was meant to start, and its place in the journey.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    pub number: u32,
    pub at: Duration,
}

#[derive(Debug, Default)]
pub struct Tally {
    /// Whether each outcome is kept.
    pub remembers: bool,
    pub outcomes: Vec<Outcome>,
    /// Microseconds, by route.
    pub latencies: BTreeMap<&'static str, Vec<u32>>,
    pub seconds: BTreeMap<u64, Second>,
    pub errors: BTreeMap<Kind, (u64, Vec<Example>)>,
    pub marks: Vec<(u64, String)>,
}

/// Counts for the requests that were meant to start in one second.
#[derive(Clone, Debug, Default)]
pub struct Second {
    pub requests: u64,
    pub errors: u64,
    pub zones: BTreeMap<String, u64>,
}

impl Sample {
    pub fn new(
        step: Step,
        start: Start,
        latency: Duration,
        kind: Option<Kind>,
        result: Result<Answer, Failure>,
    ) -> Self {
        let header = |name| {
            result
                .as_ref()
                .ok()
                .and_then(|answer| answer.header(name))
                .map(str::to_owned)
        };
        let outcome = Outcome {
            took: latency,
            status: result.as_ref().ok().map(|answer| answer.status),
            error: kind,
            instance: header("x-lictor-instance"),
            attempts: header("x-lictor-attempts")
                .and_then(|count| count.parse().ok())
                .unwrap_or(0),
            fallback: header("x-gateway-fallback"),
            inside: header("server-timing").as_deref().and_then(total),
            ..Outcome::unanswered(&step, start)
        };
        let error = kind.map(|kind| {
            let what = match &result {
                Ok(answer) => format!("{}: {}", answer.status, short(&answer.text())),
                Err(failure) => failure.to_string(),
            };
            (
                kind,
                Example {
                    second: start.at.as_secs(),
                    path: step.path,
                    what,
                    instance: outcome.instance.clone(),
                    trace: header("traceresponse"),
                },
            )
        });
        Self {
            route: step.route,
            second: start.at.as_secs(),
            latency,
            zone: header("x-lictor-zone"),
            error,
            outcome,
        }
    }

    pub fn dropped(step: &Step, start: Start) -> Self {
        let example = Example {
            second: start.at.as_secs(),
            path: step.path.clone(),
            what: "too many unanswered".into(),
            instance: None,
            trace: None,
        };
        Self {
            route: step.route,
            second: start.at.as_secs(),
            latency: Duration::ZERO,
            zone: None,
            error: Some((Kind::Dropped, example)),
            outcome: Outcome::unanswered(step, start),
        }
    }
}

impl Tally {
    pub fn add(&mut self, sample: Sample) {
        let second = self.seconds.entry(sample.second).or_default();
        second.requests += 1;
        if let Some(zone) = sample.zone {
            *second.zones.entry(zone).or_default() += 1;
        }
        let micros = u32::try_from(sample.latency.as_micros()).unwrap_or(u32::MAX);
        self.latencies.entry(sample.route).or_default().push(micros);
        if let Some((kind, example)) = sample.error {
            second.errors += 1;
            let (count, examples) = self.errors.entry(kind).or_default();
            *count += 1;
            if examples.len() < EXAMPLES {
                examples.push(example);
            }
        }
        if self.remembers {
            self.outcomes.push(sample.outcome);
        }
    }

    pub fn mark(&mut self, second: u64, what: String) {
        self.marks.push((second, what));
    }

    pub fn totals(&self) -> (u64, u64) {
        self.seconds
            .values()
            .fold((0, 0), |(requests, errors), second| {
                (requests + second.requests, errors + second.errors)
            })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(out, "status {status}"),
            Self::Partial => out.write_str("partial answer"),
            Self::Timeout => out.write_str("timeout"),
            Self::Connect => out.write_str("no connection"),
            Self::Broken => out.write_str("broken answer"),
            Self::Dropped => out.write_str("never sent"),
        }
    }
}

/// `total;dur=1.5, upstream;dur=1.1`
fn total(timing: &str) -> Option<Duration> {
    let millis = timing.strip_prefix("total;dur=")?.split(',').next()?;
    let millis: f64 = millis.parse().ok()?;
    Duration::try_from_secs_f64(millis / 1e3).ok()
}

/// The beginning of a body, on one line.
fn short(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(200)
        .collect()
}
