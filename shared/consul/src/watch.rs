//! The health watch: one task per service that keeps a [`View`] equal to Consul's.
//!
//! A blocking query without `passing`, so that "registered but unhealthy" differs from "gone"; filtering is local.
//! This file is the loop; what each turn may do is decided by `pace.rs` (when to ask), `index.rs` (with which index),
//! `accept.rs` (whether to believe the answer) and `answer.rs` (what it says).
//! An error never touches the set.
//! A process watches each service that it needs once, its own included; agents cut a client off at 200 connections.

use std::time::{Duration, Instant};

use crate::accept::{Distrust, Doubt, Judgement, Observation};
use crate::agent::{Agent, Consistency, Read};
use crate::answer::{Answer, translate};
use crate::error::Error;
use crate::index::{Index, Step};
use crate::metrics::Metrics;
use crate::pace::{After, Pace};
use crate::view::{self, Condition, Publisher, View};

/// How long an agent may wait before it answers that nothing has changed; also how often a quiet set is confirmed.
const WAIT: Duration = Duration::from_secs(55);
/// A follower that has not heard from a leader for so long may be on the wrong side of a partition.
const TOO_STALE: Duration = Duration::from_secs(10);

/// Starts watching a service on the current thread; the task runs as long as the thread's runtime.
#[must_use]
pub fn spawn(agent: &Agent, service: &str, metrics: &Metrics) -> View {
    let (publisher, view) = view::channel(service);
    metrics.show(&view);
    let watch = Watch {
        agent: agent.clone(),
        view: view.clone(),
        publisher,
        metrics: metrics.clone(),
        index: Index::default(),
        distrust: Distrust::default(),
        mistrusts_followers: false,
    };
    actix_web::rt::spawn(watch.run());
    view
}

struct Watch {
    agent: Agent,
    view: View,
    publisher: Publisher,
    metrics: Metrics,
    index: Index,
    distrust: Distrust,
    /// The last answer came from a follower without a leader: the next read goes to the leader.
    mistrusts_followers: bool,
}

// ---

impl Watch {
    async fn run(mut self) {
        let mut pace = Pace::new();
        let mut after = After::Nothing;
        loop {
            let wait = pace.wait(after, Instant::now(), &mut rand::rng());
            tokio::time::sleep(wait).await;
            let read = self.read(Instant::now());
            after = match self.agent.health(self.view.service(), &read).await {
                Ok(answer) => self.learn(&answer, read.consistency, Instant::now()),
                Err(error) => self.fail(&error),
            };
        }
    }

    /// What to ask: block until something changes, but be there when a held answer is due to be read again.
    fn read(&self, now: Instant) -> Read {
        let due = self
            .distrust
            .reread_at()
            .map(|at| at.saturating_duration_since(now));
        let at_once = |consistency| Read {
            consistency,
            index: 0,
            wait: WAIT,
        };
        match due {
            Some(Duration::ZERO) => at_once(Consistency::Consistent),
            _ if self.mistrusts_followers => at_once(Consistency::Leader),
            due => Read {
                consistency: Consistency::Stale,
                index: self.index.next(),
                wait: due.map_or(WAIT, |due| due.min(WAIT)),
            },
        }
    }

    fn learn(&mut self, answer: &Answer, consistency: Consistency, now: Instant) -> After {
        let step = self.index.observe(answer.index);
        let next = if step == Step::Backwards {
            After::Restart
        } else {
            After::Answer
        };
        self.mistrusts_followers = consistency == Consistency::Stale
            && answer.last_contact.is_some_and(|age| age > TOO_STALE)
            && self.view.synced();
        if self.mistrusts_followers {
            return next;
        }
        let translated = translate(&answer.instances, self.agent.networks());
        self.metrics
            .watch
            .skipped
            .with_label_values(&[self.view.service()])
            .inc_by(translated.skipped);
        let observation = Observation {
            instances: translated.endpoints.len(),
            consistent: consistency == Consistency::Consistent,
            backwards: step == Step::Backwards,
            filtered: answer.filtered,
        };
        self.announce_recovery();
        let before = self.distrust.accepted();
        match self.distrust.judge(observation, now) {
            Judgement::Accept => self.publisher.accept(translated.endpoints, now),
            Judgement::Hold(doubt) => {
                self.announce_hold(doubt, before, &observation);
                self.publisher.hold(translated.endpoints);
            }
        }
        next
    }

    /// Whatever answers next must answer at once: it may know less than our index, and would block.
    fn fail(&mut self, error: &Error) -> After {
        self.index.ask_at_once();
        self.mistrusts_followers = false;
        self.metrics
            .watch
            .errors
            .with_label_values(&[self.view.service(), error.reason()])
            .inc();
        if matches!(self.view.condition(), Condition::Current | Condition::Held) {
            tracing::warn!(upstream = self.view.service(), %error, "watch failing, keeping the last good set");
        } else {
            tracing::debug!(upstream = self.view.service(), %error, "watch still failing");
        }
        self.publisher.fail();
        After::Error
    }

    fn announce_recovery(&self) {
        if self.view.condition() == Condition::Failing {
            tracing::info!(upstream = self.view.service(), "watch answered again");
        }
    }

    fn announce_hold(&self, doubt: Doubt, before: usize, seen: &Observation) {
        if self.view.condition() != Condition::Held {
            tracing::warn!(
                upstream = self.view.service(),
                reason = doubt.as_str(),
                known = before,
                seen = seen.instances,
                filtered = seen.filtered,
                "answer held, keeping the last good set beside it"
            );
        }
    }
}
