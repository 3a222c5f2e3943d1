//! What one process knows of one service.
//!
//! A [`View`] is read by every worker and costs an atomic load; the [`Publisher`] beside it is the watch's.
//! The set is an immutable snapshot, swapped whole.
//! The last good set is kept for ever; its age says how long ago Consul last confirmed it.

mod publisher;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use resilience::endpoint::{Endpoint, Snapshot};
use tokio::sync::watch;

pub use publisher::Publisher;

/// A read-only handle; clones see the same.
#[derive(Clone)]
pub struct View {
    shared: Arc<Shared>,
}

/// How far the set can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// No answer yet.
    Waiting,
    /// It is what Consul said last.
    Current,
    /// Consul cannot be asked: the last good set.
    Failing,
    /// Consul says something that is not believed yet: the last good set, and beside it what the answer shows.
    Held,
}

impl Condition {
    /// The name, as admin views write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Current => "current",
            Self::Failing => "failing",
            Self::Held => "held",
        }
    }
}

struct Shared {
    service: Arc<str>,
    current: ArcSwap<Snapshot>,
    changes: watch::Sender<Arc<Snapshot>>,
    status: watch::Sender<Status>,
}

#[derive(Clone, Copy)]
struct Status {
    condition: Condition,
    accepted: u64,
    accepted_at: Option<Instant>,
}

/// A view that knows nothing yet, and the publisher that fills it.
#[must_use]
pub fn channel(service: &str) -> (Publisher, View) {
    let empty = Arc::new(Snapshot::empty());
    let status = Status {
        condition: Condition::Waiting,
        accepted: 0,
        accepted_at: None,
    };
    let shared = Arc::new(Shared {
        service: Arc::from(service),
        current: ArcSwap::new(Arc::clone(&empty)),
        changes: watch::Sender::new(Arc::clone(&empty)),
        status: watch::Sender::new(status),
    });
    let view = View {
        shared: Arc::clone(&shared),
    };
    (Publisher::new(shared), view)
}

// ---

impl View {
    /// A view that never changes: for tests, and for services that are not in Consul.
    #[must_use]
    pub fn fixed(service: &str, endpoints: Vec<Endpoint>) -> Self {
        let (mut publisher, view) = channel(service);
        publisher.accept(endpoints, Instant::now());
        view
    }

    /// The service that it shows.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.shared.service
    }

    /// The set as it is now; empty until [`View::synced`].
    #[must_use]
    pub fn current(&self) -> Arc<Snapshot> {
        self.shared.current.load_full()
    }

    /// Yields each new set; one that is read late is skipped in favour of the latest.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.shared.changes.subscribe()
    }

    /// Whether an answer has ever been accepted.
    #[must_use]
    pub fn synced(&self) -> bool {
        self.status().accepted_at.is_some()
    }

    /// Returns once an answer has been accepted.
    pub async fn wait_synced(&self) {
        let mut status = self.shared.status.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = status.wait_for(|status| status.accepted_at.is_some()).await;
    }

    /// Time since the last accepted answer; `None` before the first.
    /// A quiet catalogue confirms the set about once a minute.
    #[must_use]
    pub fn age(&self, now: Instant) -> Option<Duration> {
        self.status()
            .accepted_at
            .map(|at| now.saturating_duration_since(at))
    }

    /// How far the set can be trusted.
    #[must_use]
    pub fn condition(&self) -> Condition {
        self.status().condition
    }

    /// Whether what the set says may be outdated, so that how an instance answers counts for more than its absence.
    #[must_use]
    pub fn suspicious(&self) -> bool {
        matches!(self.condition(), Condition::Failing | Condition::Held)
    }

    /// Number of accepted answers: grows also when nothing has changed.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.status().accepted
    }

    fn status(&self) -> Status {
        *self.shared.status.borrow()
    }
}
