//! What is remembered while a load runs: a latency for each request, counts for each second, a few examples of what went wrong.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::journey::Step;
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
}

#[derive(Debug, Default)]
pub struct Tally {
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
        second: u64,
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
        let error = kind.map(|kind| {
            let what = match &result {
                Ok(answer) => format!("{}: {}", answer.status, short(&answer.text())),
                Err(failure) => failure.to_string(),
            };
            (
                kind,
                Example {
                    second,
                    path: step.path,
                    what,
                    instance: header("x-lictor-instance"),
                    trace: header("traceresponse"),
                },
            )
        });
        Self {
            route: step.route,
            second,
            latency,
            zone: header("x-lictor-zone"),
            error,
        }
    }

    pub fn dropped(step: &Step, second: u64) -> Self {
        let example = Example {
            second,
            path: step.path.clone(),
            what: "too many unanswered".into(),
            instance: None,
            trace: None,
        };
        Self {
            route: step.route,
            second,
            latency: Duration::ZERO,
            zone: None,
            error: Some((Kind::Dropped, example)),
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

/// The beginning of a body, on one line.
fn short(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(200)
        .collect()
}
