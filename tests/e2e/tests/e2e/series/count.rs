//! How many series a process has, and how much memory.

use std::collections::BTreeMap;

use stack::{Client, Instance};

use crate::system::{System, ok};

/// One process at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Count {
    pub series: usize,
    /// Without the buckets of histograms: a combination of labels is two of these (sum and count), a counter one.
    pub plain: usize,
    pub resident_kib: u64,
}

/// What a process exposes.
pub async fn exposed(instance: &Instance) -> String {
    let ops = Client::new(instance.addresses.ops);
    ok(ops.get("/metrics").await).text()
}

pub async fn of(instance: &Instance) -> Count {
    let text = exposed(instance).await;
    let series = || text.lines().filter(|line| !line.starts_with('#'));
    let process = instance.unit.process().unwrap();
    Count {
        series: series().count(),
        plain: series().filter(|line| !line.contains("_bucket{")).count(),
        resident_kib: process.resident_kib().unwrap(),
    }
}

/// Of every process, by name.
pub async fn everywhere(system: &System) -> BTreeMap<String, Count> {
    let mut counts = BTreeMap::new();
    for instance in system.instances() {
        counts.insert(instance.name().to_owned(), of(instance).await);
    }
    counts
}
