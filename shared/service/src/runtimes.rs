//! How busy the event loops are: the main thread's, where everything but requests happens, and one for each worker of the public listener.
//!
//! Of tokio's stable metrics only the time that a loop did not wait and how often it did mean something here:
//! Actix spawns on a `LocalSet`, whose tasks and queue they do not count.
//! A loop that is busy for most of a second answers late, whatever its requests do.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{CounterVec, IntCounterVec, IntGaugeVec, Opts, Registry};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;

/// What a loop is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// The life of the process, its watches and its tasks.
    Main,
    /// Requests of the public listener.
    Public,
}

/// The loops of one process; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Runtimes(Arc<Mutex<Loops>>);

/// One loop among them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    number: u64,
    all: Runtimes,
}

#[derive(Debug, Default)]
struct Loops {
    next: u64,
    running: BTreeMap<u64, (Role, Handle)>,
    /// What those did that are gone: counters never fall.
    gone: BTreeMap<Role, Work>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Work {
    busy: Duration,
    parks: u64,
}

/// All of it as it is when metrics are gathered.
struct Shown {
    runtimes: Runtimes,
    workers: IntGaugeVec,
    busy: CounterVec,
    parks: IntCounterVec,
}

impl Runtimes {
    /// Registers the metrics, once for the process; no loop is among them yet.
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let runtimes = Self(Arc::default());
        let opts = |name: &str, help: &str| Opts::new(name, help);
        registry.register(Box::new(Shown {
            runtimes: runtimes.clone(),
            workers: IntGaugeVec::new(
                opts("lictor_runtime_workers", "Event loops that run now."),
                &["runtime"],
            )?,
            busy: CounterVec::new(
                opts(
                    "lictor_runtime_busy_seconds_total",
                    "Time in which event loops did not wait, all together.",
                ),
                &["runtime"],
            )?,
            parks: IntCounterVec::new(
                opts(
                    "lictor_runtime_parks_total",
                    "Times that an event loop had nothing to do and waited.",
                ),
                &["runtime"],
            )?,
        }))?;
        Ok(runtimes)
    }

    /// Counts the loop of this thread from now on.
    ///
    /// # Panics
    /// There is none.
    pub(crate) fn join(&self, role: Role) -> Seat {
        let mut loops = self.lock();
        let number = loops.next;
        loops.next += 1;
        loops.running.insert(number, (role, Handle::current()));
        Seat {
            number,
            all: self.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Loops> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut loops = self.all.lock();
        if let Some((role, handle)) = loops.running.remove(&self.number) {
            loops.gone.entry(role).or_default().add(Work::of(&handle));
        }
    }
}

impl Loops {
    /// How many run, and what they and those before them did.
    fn of(&self, role: Role) -> (usize, Work) {
        let mine = || self.running.values().filter(|(one, _)| *one == role);
        let mut work = self.gone.get(&role).copied().unwrap_or_default();
        mine().for_each(|(_, handle)| work.add(Work::of(handle)));
        (mine().count(), work)
    }
}

impl Work {
    fn of(handle: &Handle) -> Self {
        let metrics = handle.metrics();
        let mut work = Self::default();
        for worker in 0..metrics.num_workers() {
            work.add(Self {
                busy: metrics.worker_total_busy_duration(worker),
                parks: metrics.worker_park_count(worker),
            });
        }
        work
    }

    fn add(&mut self, more: Self) {
        self.busy += more.busy;
        self.parks += more.parks;
    }
}

impl Role {
    const ALL: [Self; 2] = [Self::Main, Self::Public];

    fn as_str(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Public => "public",
        }
    }
}

impl Collector for Shown {
    fn desc(&self) -> Vec<&Desc> {
        [self.workers.desc(), self.busy.desc(), self.parks.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let loops = self.runtimes.lock();
        for role in Role::ALL {
            let (workers, work) = loops.of(role);
            let label = [role.as_str()];
            let workers = i64::try_from(workers).unwrap_or(i64::MAX);
            self.workers.with_label_values(&label).set(workers);
            let busy = self.busy.with_label_values(&label);
            busy.inc_by((work.busy.as_secs_f64() - busy.get()).max(0.0));
            let parks = self.parks.with_label_values(&label);
            parks.inc_by(work.parks.saturating_sub(parks.get()));
        }
        [
            self.workers.collect(),
            self.busy.collect(),
            self.parks.collect(),
        ]
        .concat()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::App;
    use crate::testing;
    use actix_web::{HttpResponse, rt, web};

    fn shown(registry: &Registry, name: &str, runtime: &str) -> f64 {
        let text = telemetry::metrics::text(registry);
        let series = format!("{name}{{runtime=\"{runtime}\"}} ");
        let value = text.lines().find_map(|line| line.strip_prefix(&series));
        value.unwrap().parse().unwrap()
    }

    #[actix_web::test]
    async fn a_loop_that_works_is_busy_and_what_it_did_outlives_it() {
        let registry = Registry::new();
        let runtimes = Runtimes::register(&registry).unwrap();
        let seat = runtimes.join(Role::Main);
        let busy = || shown(&registry, "lictor_runtime_busy_seconds_total", "main");
        let before = busy();
        // It counts what lies between two waits.
        rt::time::sleep(Duration::from_millis(1)).await;
        std::thread::sleep(Duration::from_millis(50));
        rt::time::sleep(Duration::from_millis(1)).await;
        let after = busy();
        assert!(after - before >= 0.05, "{before} s, then {after} s");
        assert!(shown(&registry, "lictor_runtime_parks_total", "main") > 0.0);
        drop(seat);
        assert_eq!(shown(&registry, "lictor_runtime_workers", "main"), 0.0);
        assert!(busy() >= after, "a counter does not fall");
    }

    #[actix_web::test]
    async fn the_workers_of_the_public_listener_are_among_them_while_they_run() {
        let registry = Registry::new();
        let app = App::public(|config| {
            config.route("/", web::get().to(HttpResponse::Ok));
        });
        let running = testing::serve_with(app, "server.workers = 2", &registry).await;
        let workers = || shown(&registry, "lictor_runtime_workers", "public");
        testing::until("two workers", || workers() == 2.0).await;
        running.drain().await;
        // A worker says that it is done, and then goes.
        testing::until("no worker", || workers() == 0.0).await;
    }
}
