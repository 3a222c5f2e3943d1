//! A small open-model load generator: requests start at a constant rate, whatever the answers do.
//!
//! Latency is measured from the moment at which a request was meant to start, so a system that stalls cannot hide the requests that it kept waiting.
//! A status that was not declared, a timeout, a broken answer and a partial one (`"partial": true`) are errors.
//! What k6 does better (scenarios, thresholds, server-side facts) stays with k6; this one needs nothing installed and is what the tests use.

mod journey;
mod report;
mod tally;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

pub use journey::{Journey, Step};
pub use report::{Quantiles, Report, Window};
pub use tally::{Example, Kind};

use crate::client::{Answer, Client, Failure};
use tally::{Sample, Tally};

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
    pace: JoinHandle<()>,
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
        let begin = Instant::now();
        let tally = Arc::<Mutex<Tally>>::default();
        let pace = tokio::spawn(pace(plan, begin, Arc::new(client), journey, tally.clone()));
        Self {
            plan,
            begin,
            tally,
            pace,
        }
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

    /// Waits for the last answer.
    pub async fn finish(self) -> Report {
        // The pacing task is not aborted and does not panic; were it otherwise, the tally would show too few requests.
        let _ = self.pace.await;
        let tally = std::mem::take(&mut *lock(&self.tally));
        Report::new(self.plan, tally)
    }
}

async fn pace(
    plan: Plan,
    begin: Instant,
    client: Arc<Client>,
    journey: Journey,
    tally: Arc<Mutex<Tally>>,
) {
    let period = Duration::from_secs_f64(1.0 / plan.rate);
    let count = (plan.duration.as_secs_f64() * plan.rate).round() as u32;
    let mut running = tokio::task::JoinSet::new();
    for number in 0..count {
        let intended = begin + period * number;
        tokio::time::sleep_until(intended).await;
        while running.try_join_next().is_some() {}
        let step = journey.step(number);
        let (client, tally) = (client.clone(), tally.clone());
        let second = intended.duration_since(begin).as_secs();
        if running.len() >= MOST_UNANSWERED {
            lock(&tally).add(Sample::dropped(&step, second));
            continue;
        }
        running.spawn(async move {
            let result = client
                .call(hyper::Method::GET, &step.path, None, &[], LIMIT)
                .await;
            let latency = intended.elapsed();
            lock(&tally).add(judge(step, second, latency, result));
        });
    }
    while running.join_next().await.is_some() {}
}

fn judge(step: Step, second: u64, latency: Duration, result: Result<Answer, Failure>) -> Sample {
    let kind = match &result {
        Ok(answer) if answer.status != 200 => Some(Kind::Status(answer.status)),
        Ok(answer) if answer.json()["partial"] == true => Some(Kind::Partial),
        Ok(_) => None,
        Err(Failure::Timeout) => Some(Kind::Timeout),
        Err(Failure::Connect(_)) => Some(Kind::Connect),
        Err(Failure::Transport(_)) => Some(Kind::Broken),
    };
    Sample::new(step, second, latency, kind, result)
}

fn lock(tally: &Mutex<Tally>) -> std::sync::MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}
