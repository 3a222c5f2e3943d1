//! Faults on demand: a process that is slow, failing, hanging, dripping, lying about its health,
//! short of connections, on a slow database, or away, because a drill wants to see what happens.
//!
//! They are refused unless `faults.enabled`, and each ends by itself: also when Consul is gone, or
//! whoever set it. `fault.rs` says what there is, `written.rs` how it is written, `decide.rs` whom it
//! strikes; `layer.rs` and `drip.rs` do it to requests, `store` to statements, `keeper.rs` to
//! listeners and connections. A process that faces strangers has no layer for them: its public
//! requests are never struck.

mod active;
mod decide;
mod desk;
mod drip;
mod fault;
mod keeper;
mod layer;
mod metrics;
mod moment;
mod refusal;
mod refused;
mod stored;
mod written;

pub use active::{Active, Origin, Shown};
pub use decide::{Plan, decide};
pub(crate) use desk::routes;
pub use fault::{Effect, Fault, Kind, LONGEST, Only};
pub(crate) use keeper::keep;
pub(crate) use layer::{FAULT, delay, strike};
pub use moment::Moment;
pub use refusal::Refusal;
pub use refused::BadFault;
pub use stored::parse_stored;
pub use written::Written;

use metrics::Metrics;
use refusal::MOST;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;

/// The faults of one process; clones share them.
#[derive(Debug, Clone)]
pub struct Faults(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    enabled: bool,
    /// Whether its public requests can be struck: not where strangers are served.
    requests: AtomicBool,
    /// Whether it has a store.
    store: bool,
    active: watch::Sender<Arc<[Active]>>,
    next: AtomicU64,
    metrics: Metrics,
}

impl Faults {
    pub(crate) fn new(
        settings: &crate::config::Faults,
        store: bool,
        registry: &prometheus::Registry,
    ) -> Result<Self, prometheus::Error> {
        Ok(Self(Arc::new(Inner {
            enabled: settings.enabled,
            requests: AtomicBool::new(true),
            store,
            active: watch::Sender::new(Arc::default()),
            next: AtomicU64::new(1),
            metrics: Metrics::register(registry)?,
        })))
    }

    /// None, and none can be set: for what is tested without them.
    pub(crate) fn off() -> Self {
        let off = crate::config::Faults { enabled: false };
        Self::new(&off, false, &prometheus::Registry::new())
            .expect("a fresh registry takes everything")
    }

    /// This process serves strangers: faults that strike requests are refused from now on.
    pub(crate) fn spare_requests(&self) {
        self.0.requests.store(false, Ordering::Relaxed);
    }

    /// Whether faults may be set at all.
    pub fn enabled(&self) -> bool {
        self.0.enabled
    }

    /// Sets one more.
    ///
    /// # Errors
    /// [`Refusal`]; nothing has changed then.
    pub fn add(&self, fault: Fault) -> Result<Shown, Refusal> {
        self.admit(&fault)?;
        let now = Instant::now();
        let one = self.begin(Origin::Admin, fault, now);
        let shown = one.shown(now);
        let mut room = true;
        self.change(|active| {
            room = active.len() < MOST;
            if room {
                active.push(one);
            }
        });
        room.then_some(shown).ok_or(Refusal::TooMany)
    }

    /// Makes these the faults that Consul's KV store asks for; those of the admin API stay. One that
    /// is there already goes on, one that is over is left out.
    ///
    /// # Errors
    /// [`Refusal`]; nothing has changed then.
    pub fn replace_from_kv(&self, faults: Vec<Fault>) -> Result<(), Refusal> {
        let (now, clock) = (Instant::now(), SystemTime::now());
        let wanted: Vec<Fault> = faults
            .into_iter()
            .filter(|fault| fault.until > clock)
            .collect();
        wanted.iter().try_for_each(|fault| self.admit(fault))?;
        if wanted.len() > MOST {
            return Err(Refusal::TooMany);
        }
        self.change(|active| {
            active.retain(|one| one.origin == Origin::Admin || wanted.contains(&one.fault));
            for fault in wanted {
                let known = |one: &Active| one.origin == Origin::Kv && one.fault == fault;
                if !active.iter().any(known) {
                    active.push(self.begin(Origin::Kv, fault, now));
                }
            }
        });
        Ok(())
    }

    /// Those of Consul's KV store that are still set.
    pub(crate) fn of_the_store(&self) -> Vec<Fault> {
        let active = self.active();
        let stored = active.iter().filter(|one| one.origin == Origin::Kv);
        stored.map(|one| one.fault.clone()).collect()
    }

    /// Takes one away; whether it was there.
    pub fn remove(&self, id: &str) -> bool {
        let mut found = false;
        self.change(|active| {
            active.retain(|one| {
                let this = one.id.to_string() == id;
                found |= this;
                !this
            });
        });
        found
    }

    /// Takes all away, wherever they came from; how many there were.
    pub fn clear(&self) -> usize {
        let mut count = 0;
        self.change(|active| {
            count = active.len();
            active.clear();
        });
        count
    }

    /// Those that are set, the oldest first.
    pub fn list(&self) -> Vec<Shown> {
        let now = Instant::now();
        let active = self.active();
        active
            .iter()
            .filter(|one| one.expires > now)
            .map(|one| one.shown(now))
            .collect()
    }

    /// What is to be done to a request.
    pub(crate) fn plan(&self, method: &str, path: &str) -> Option<Plan> {
        let active = self.active();
        if active.is_empty() {
            return None;
        }
        decide(&active, method, path, Instant::now(), &mut rand::rng())
    }

    /// How long the database lets one statement or transaction wait.
    pub(crate) fn slow_database(&self) -> Option<Duration> {
        let active = self.active();
        if active.is_empty() {
            return None;
        }
        decide::slow_database(&active, Instant::now(), &mut rand::rng())
    }

    /// What `/readyz` is to say against the truth.
    pub(crate) fn health(&self) -> Option<bool> {
        decide::health(&self.active(), Instant::now())
    }

    /// Counts what was done.
    pub(crate) fn injected(&self, kind: Kind) {
        self.0.metrics.injected(kind);
    }

    /// Waits until this fault is no longer there.
    pub(crate) async fn gone(&self, id: u64) {
        let mut active = self.0.active.subscribe();
        let gone = |active: &Arc<[Active]>| active.iter().all(|one| one.id != id);
        // The sender lives as long as this handle.
        let _ = active.wait_for(gone).await;
    }

    fn active(&self) -> Arc<[Active]> {
        self.0.active.borrow().clone()
    }

    fn admit(&self, fault: &Fault) -> Result<(), Refusal> {
        let kind = fault.kind();
        if !self.enabled() {
            return Err(Refusal::Disabled);
        }
        let out_of_reach = kind.strikes_requests() && !self.0.requests.load(Ordering::Relaxed)
            || kind.strikes_store() && !self.0.store;
        if out_of_reach {
            return Err(Refusal::OutOfReach(kind));
        }
        Ok(())
    }

    fn begin(&self, origin: Origin, fault: Fault, now: Instant) -> Active {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(
            id,
            kind = fault.kind().as_str(),
            ?origin,
            ?fault,
            "fault set"
        );
        Active::new(id, origin, fault, now, SystemTime::now())
    }

    /// Every change of the set goes through here.
    fn change(&self, edit: impl FnOnce(&mut Vec<Active>)) {
        self.0.active.send_if_modified(|active| {
            let mut edited = active.to_vec();
            edit(&mut edited);
            if edited[..] == active[..] {
                return false;
            }
            let now = Instant::now();
            for gone in active
                .iter()
                .filter(|one| !edited.iter().any(|other| other.id == one.id))
            {
                let how = if gone.expires <= now {
                    "expired"
                } else {
                    "cleared"
                };
                let kind = gone.fault.kind().as_str();
                tracing::warn!(id = gone.id, kind, how, "fault ended");
            }
            self.0.metrics.set(&edited);
            *active = edited.into();
            true
        });
    }
}
