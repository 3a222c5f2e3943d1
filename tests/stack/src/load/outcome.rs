//! What became of each request, for questions that a report's totals do not answer: when errors fell, who served, what one route paid while another was sick.
//!
//! Kept only by loads that are told to remember: a drill lasts minutes, `cargo stack load` may last a day.

use std::ops::Range;
use std::time::Duration;

use super::journey::Step;
use super::report::Quantiles;
use super::tally::{Kind, Start};

/// One finished request.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its place in the journey.
    pub number: u32,
    pub route: &'static str,
    pub idempotent: bool,
    /// When it was meant to start, since the load began.
    pub at: Duration,
    pub took: Duration,
    pub status: Option<u16>,
    pub error: Option<Kind>,
    /// Consul's id of the instance that answered.
    pub instance: Option<String>,
    /// How often the gateway tried.
    pub attempts: u32,
    /// Where a fallback came from, when one answered.
    pub fallback: Option<String>,
    /// What the gateway says that it took to the answer's head.
    pub inside: Option<Duration>,
}

/// Some of the requests of a load.
#[derive(Clone, Debug, Default)]
pub struct Slice<'a>(Vec<&'a Outcome>);

impl Outcome {
    /// What is known before there is an answer.
    pub(super) fn unanswered(step: &Step, start: Start) -> Self {
        Self {
            number: start.number,
            route: step.route,
            idempotent: step.idempotent(),
            at: start.at,
            took: Duration::ZERO,
            status: None,
            error: Some(Kind::Dropped),
            instance: None,
            attempts: 0,
            fallback: None,
            inside: None,
        }
    }
}

impl<'a> Slice<'a> {
    pub fn of(outcomes: &'a [Outcome]) -> Self {
        Self(outcomes.iter().collect())
    }

    pub fn iter(&self) -> impl Iterator<Item = &'a Outcome> {
        self.0.iter().copied()
    }

    /// Those for which this holds.
    pub fn only(&self, wanted: impl Fn(&Outcome) -> bool) -> Self {
        let fits = |outcome: &&&Outcome| wanted(outcome);
        Self(self.0.iter().filter(fits).copied().collect())
    }

    /// Those that were meant to start within this time.
    pub fn during(&self, time: Range<Duration>) -> Self {
        self.only(|outcome| time.contains(&outcome.at))
    }

    pub fn route(&self, route: &str) -> Self {
        self.only(|outcome| outcome.route == route)
    }

    pub fn errors(&self) -> Self {
        self.only(|outcome| outcome.error.is_some())
    }

    /// These and those, of this load or another.
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As the client sees it.
    pub fn quantiles(&self) -> Quantiles {
        Quantiles::of(self.iter().map(|one| micros(one.took)).collect())
    }

    /// As the gateway sees it: without the client, its machine and the wire.
    pub fn quantiles_inside(&self) -> Quantiles {
        let inside = self.iter().filter_map(|one| one.inside);
        Quantiles::of(inside.map(micros).collect())
    }

    /// The part for which this holds, 0 to 1.
    pub fn share(&self, wanted: impl Fn(&Outcome) -> bool) -> f64 {
        self.only(wanted).count() as f64 / self.count().max(1) as f64
    }
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}
