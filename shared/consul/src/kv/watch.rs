//! The loop that keeps a map equal to Consul's.
//!
//! It waits with a blocking query for the *names* below the prefix and then reads each value.
//! The names come by our own client: their index is needed even when there is none (Consul says 404 then), and whether
//! keys are hidden from the token is in a header too.
//! Values are read one by one through `store.rs`, so that one which is no text is refused alone and does not hide its
//! neighbours.
//! They are asked of the leader, not of any server: settings change rarely, a failed read costs nothing, and a server
//! that has just started would say that there are none.
//! The index is taken before the values are read, so a change in between is seen by the next turn.

use std::time::{Duration, Instant};

use super::{Entries, Followed, Publisher, Store, Stored, Value, channel};
use crate::agent::{Agent, Consistency, Listing, Read};
use crate::error::Error;
use crate::index::{Index, Step};
use crate::metrics::Metrics;
use crate::pace::{After, Pace};

/// How long an agent may wait before it answers that nothing has changed.
const WAIT: Duration = Duration::from_secs(55);
/// A setting is a few words; Consul itself takes up to 512 KiB.
const LONGEST: usize = 64 * 1024;

/// Starts following a prefix on the current thread; the task runs as long as the thread's runtime.
#[must_use]
pub fn watch(agent: &Agent, prefix: &'static str, metrics: &Metrics) -> Followed {
    let (publisher, followed) = channel();
    metrics.kv.show(&followed);
    let watch = Watch {
        agent: agent.clone(),
        store: Store::of(agent),
        prefix,
        publisher,
        metrics: metrics.clone(),
        index: Index::default(),
        failing: false,
        loaded: false,
    };
    actix_web::rt::spawn(watch.run());
    followed
}

struct Watch {
    agent: Agent,
    store: Store,
    prefix: &'static str,
    publisher: Publisher,
    metrics: Metrics,
    index: Index,
    /// The last turn failed: said once, and once more when it is over.
    failing: bool,
    /// The last turn ended with a whole map, so that the same index means the same values.
    loaded: bool,
}

// ---

impl Watch {
    async fn run(mut self) {
        let mut pace = Pace::new();
        let mut after = After::Nothing;
        loop {
            let wait = pace.wait(after, Instant::now(), &mut rand::rng());
            tokio::time::sleep(wait).await;
            after = match self.turn().await {
                Ok(step) => self.succeed(step),
                Err(error) => self.fail(&error),
            };
        }
    }

    async fn turn(&mut self) -> Result<Step, Error> {
        let read = Read {
            consistency: Consistency::Leader,
            index: self.index.next(),
            wait: WAIT,
        };
        let Listing { index, keys } = self.agent.keys(self.prefix, &read).await?;
        if self.loaded && self.index.is(Some(index)) {
            self.publisher.confirm(Instant::now());
        } else {
            let entries = self.values(keys).await?;
            self.publisher.accept(entries, Instant::now());
        }
        self.loaded = true;
        Ok(self.index.observe(Some(index)))
    }

    async fn values(&self, keys: Vec<String>) -> Result<Entries, Error> {
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            let Some(name) = key.strip_prefix(self.prefix) else {
                return Err(Error::Malformed(format!("a key outside {}", self.prefix)));
            };
            // What Consul's own pages make for a folder; it has no value.
            if name.is_empty() || name.ends_with('/') {
                continue;
            }
            // Gone since it was listed: the next turn will see that too.
            if let Some(value) = readable(self.store.read(&key).await?) {
                values.push((name.to_owned(), value));
            }
        }
        Ok(values.into_iter().collect())
    }

    fn succeed(&mut self, step: Step) -> After {
        if std::mem::take(&mut self.failing) {
            tracing::info!(prefix = self.prefix, "settings can be read again");
        }
        match step {
            Step::Onwards => After::Answer,
            Step::Backwards => {
                tracing::warn!(
                    prefix = self.prefix,
                    keys = self.publisher.len(),
                    "Consul follows another history: settings that it does not know are back at their defaults"
                );
                After::Restart
            }
        }
    }

    /// Whatever answers next must answer at once: it may know less than our index, and would block.
    fn fail(&mut self, error: &Error) -> After {
        self.index.ask_at_once();
        self.loaded = false;
        self.metrics.kv.failed(error.reason());
        if std::mem::replace(&mut self.failing, true) {
            tracing::debug!(prefix = self.prefix, %error, "settings still cannot be read");
        } else {
            tracing::warn!(prefix = self.prefix, %error, "settings cannot be read, keeping the last good ones");
        }
        After::Error
    }
}

fn readable(stored: Stored) -> Option<Value> {
    match stored {
        Stored::Absent => None,
        Stored::NoText => Some(Value::Unreadable("not UTF-8")),
        Stored::Text(text) if text.len() > LONGEST => Some(Value::Unreadable("longer than 64 KiB")),
        Stored::Text(text) => Some(Value::Text(text.into())),
    }
}
