//! A client that does everything right, a hundred times a second, on a thread and a runtime of its own: the crowd's thousand tasks are no part of what it measures.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use stack::Client;
use tokio::time::{MissedTickBehavior, interval};

use crate::system::{System, ok};

const PACE: Duration = Duration::from_millis(10);

pub struct Good {
    asking: JoinHandle<Vec<Duration>>,
    enough: Arc<AtomicBool>,
}

impl Good {
    pub fn start(system: &System) -> Self {
        let client = system.load_client();
        let enough = Arc::<AtomicBool>::default();
        let told = enough.clone();
        let asking = std::thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build().unwrap();
            runtime.block_on(ask(&client, &told))
        });
        Self { asking, enough }
    }

    /// How many answers there were, and the 99th percentile of their times.
    pub fn finish(self) -> (usize, Duration) {
        self.enough.store(true, Ordering::Relaxed);
        let mut took = self.asking.join().unwrap();
        took.sort_unstable();
        (took.len(), took[took.len() * 99 / 100])
    }
}

/// One request after the other, each timed by itself: a stall of the machine costs the request that it meets, a hindered gateway costs them all.
async fn ask(client: &Client, enough: &AtomicBool) -> Vec<Duration> {
    let mut took = Vec::new();
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !enough.load(Ordering::Relaxed) {
        pace.tick().await;
        let begin = Instant::now();
        ok(client.get("/api/inventory/items?limit=1").await);
        took.push(begin.elapsed());
    }
    took
}
