//! A small open-model load generator: requests start at a constant rate, whatever the answers do.
//!
//! Latency is measured from the moment at which a request was meant to start, so a system that stalls cannot hide the requests that it kept waiting.
//! A status that was not declared, a timeout, a broken answer and a partial one (`"partial": true`) are errors.
//! What k6 does better (scenarios, thresholds, server-side facts) stays with k6; this one needs nothing installed and is what the tests use.

mod journey;
mod outcome;
mod report;
mod tally;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

pub use journey::{Buyers, Journey, ORDER_PLAIN, ORDER_WITH_KEY, Step, skus};
pub use outcome::{Outcome, Slice};
pub use report::{Quantiles, Report, Window};
pub use tally::{Example, Kind};

use crate::client::{Answer, Client, Failure};
use tally::{Sample, Start, Tally};

/// An answer that takes longer is an error; the gateway's own longest deadline is shorter.
const LIMIT: Duration = Duration::from_secs(10);

/// So many unanswered requests mean that the system is gone; more would only take this machine's memory.
const MOST_UNANSWERED: usize = 20_000;

/// How much load, for how long.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Requests a second.
    pub rate: f64,
    pub duration: Duration,
}

/// A load that runs.
#[derive(Debug)]
pub struct Load {
    plan: Plan,
    begin: Instant,
    tally: Arc<Mutex<Tally>>,
    enough: Arc<AtomicBool>,
    pace: JoinHandle<()>,
}

/// What the pacing task needs.
struct Pace {
    plan: Plan,
    begin: Instant,
    client: Arc<Client>,
    journey: Journey,
    tally: Arc<Mutex<Tally>>,
    enough: Arc<AtomicBool>,
    limit: Duration,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            rate: 200.0,
            duration: Duration::from_secs(60),
        }
    }
}

impl Load {
    /// Begins at once; ends by itself after the planned time.
    pub fn start(plan: Plan, client: Client, journey: Journey) -> Self {
        Self::with(plan, client, journey, Tally::default(), LIMIT)
    }

    /// The same, and the report has the outcome of each request.
    pub fn remembering(plan: Plan, client: Client, journey: Journey) -> Self {
        Self::patient(plan, client, journey, LIMIT)
    }

    /// The same, and each answer may take this long.
    pub fn patient(plan: Plan, client: Client, journey: Journey, limit: Duration) -> Self {
        let tally = Tally {
            remembers: true,
            ..Tally::default()
        };
        Self::with(plan, client, journey, tally, limit)
    }

    fn with(plan: Plan, client: Client, journey: Journey, tally: Tally, limit: Duration) -> Self {
        let begin = Instant::now();
        let tally = Arc::new(Mutex::new(tally));
        let enough = Arc::<AtomicBool>::default();
        let pace = Pace {
            plan,
            begin,
            client: Arc::new(client),
            journey,
            tally: tally.clone(),
            enough: enough.clone(),
            limit,
        };
        Self {
            plan,
            begin,
            tally,
            enough,
            pace: tokio::spawn(pace.run()),
        }
    }

    /// When it began; the times of its outcomes count from here.
    pub fn began(&self) -> Instant {
        self.begin
    }

    pub fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }

    /// Requests and errors so far.
    pub fn so_far(&self) -> (u64, u64) {
        lock(&self.tally).totals()
    }

    /// Notes what happened now; the report shows it in the right second.
    pub fn mark(&self, what: impl Into<String>) {
        let second = self.begin.elapsed().as_secs();
        lock(&self.tally).mark(second, what.into());
    }

    /// Sends no more, and waits for the last answer.
    pub async fn end(mut self) -> Report {
        self.enough.store(true, Ordering::Relaxed);
        self.plan.duration = self.plan.duration.min(self.begin.elapsed());
        self.finish().await
    }

    /// Waits for the last answer.
    pub async fn finish(self) -> Report {
        // The pacing task is not aborted and does not panic; were it otherwise, the tally would show too few requests.
        let _ = self.pace.await;
        let tally = std::mem::take(&mut *lock(&self.tally));
        Report::new(self.plan, tally)
    }
}

impl Pace {
    async fn run(self) {
        let period = Duration::from_secs_f64(1.0 / self.plan.rate);
        let count = (self.plan.duration.as_secs_f64() * self.plan.rate).round() as u32;
        let mut running = tokio::task::JoinSet::new();
        for number in 0..count {
            let start = Start {
                number,
                at: period * number,
            };
            tokio::time::sleep_until(self.begin + start.at).await;
            if self.enough.load(Ordering::Relaxed) {
                break;
            }
            while running.try_join_next().is_some() {}
            let step = self.journey.step(number);
            if running.len() >= MOST_UNANSWERED {
                lock(&self.tally).add(Sample::dropped(&step, start));
                continue;
            }
            let (client, tally) = (self.client.clone(), self.tally.clone());
            let (intended, limit) = (self.begin + start.at, self.limit);
            running.spawn(async move {
                let result = send(&client, &step, limit).await;
                let sample = judge(step, start, intended.elapsed(), result);
                lock(&tally).add(sample);
            });
        }
        while running.join_next().await.is_some() {}
    }
}

async fn send(client: &Client, step: &Step, limit: Duration) -> Result<Answer, Failure> {
    let key = step.key.as_deref().map(|key| ("idempotency-key", key));
    let headers = key.as_slice();
    client
        .call(
            step.method.clone(),
            &step.path,
            step.body.as_ref(),
            headers,
            limit,
        )
        .await
}

fn judge(step: Step, start: Start, latency: Duration, result: Result<Answer, Failure>) -> Sample {
    let declared = if step.method == hyper::Method::GET {
        200..=200
    } else {
        200..=299
    };
    let kind = match &result {
        Ok(answer) if !declared.contains(&answer.status) => Some(Kind::Status(answer.status)),
        Ok(answer) if answer.json()["partial"] == true => Some(Kind::Partial),
        Ok(_) => None,
        Err(Failure::Timeout) => Some(Kind::Timeout),
        Err(Failure::Connect(_)) => Some(Kind::Connect),
        Err(Failure::Transport(_)) => Some(Kind::Broken),
    };
    Sample::new(step, start, latency, kind, result)
}

fn lock(tally: &Mutex<Tally>) -> std::sync::MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}
