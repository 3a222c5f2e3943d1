//! Spans that were not delivered, as those who made them count them.

use super::super::ground::Ground;
use super::super::metrics::Metrics;
use crate::binaries::GATEWAY;
use crate::error::Error;
use crate::instance::Instance;

/// How many.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lost {
    /// There was no room left in the queue.
    pub dropped: f64,
    /// Their batch was not taken.
    pub failed: f64,
}

/// By the gateway, and by all services together, so far.
pub async fn lost(ground: &Ground) -> Result<[Lost; 2], Error> {
    let mut lost = [Lost::default(); 2];
    for instance in ground.instances() {
        let of = &mut lost[usize::from(instance.service != GATEWAY)];
        *of = of.and(Lost::of(instance).await?);
    }
    Ok(lost)
}

impl Lost {
    async fn of(instance: &Instance) -> Result<Self, Error> {
        let metrics = Metrics::of(instance).await?;
        Ok(Self {
            dropped: metrics.sum("lictor_spans_dropped_total", &[]),
            failed: metrics.sum("lictor_spans_exported_total", &[("result", "error")]),
        })
    }

    pub fn all(self) -> f64 {
        self.dropped + self.failed
    }

    pub fn and(self, other: Self) -> Self {
        Self {
            dropped: self.dropped + other.dropped,
            failed: self.failed + other.failed,
        }
    }

    pub fn since(self, before: Self) -> Self {
        Self {
            dropped: self.dropped - before.dropped,
            failed: self.failed - before.failed,
        }
    }
}

impl std::fmt::Display for Lost {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "{:.0} dropped, {:.0} failed",
            self.dropped, self.failed
        )
    }
}
