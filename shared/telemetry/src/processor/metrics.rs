//! What became of finished spans, in numbers: the SDK has none of them to show.

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

/// What became of finished spans.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(super) dropped: IntCounter,
    pub(super) exported: IntCounter,
    pub(super) failed: IntCounter,
}

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let dropped = IntCounter::new(
            "lictor_spans_dropped_total",
            "Finished spans that were dropped, because the queue to the collector was full or the process stopped.",
        )?;
        let finished = IntCounterVec::new(
            Opts::new(
                "lictor_spans_exported_total",
                "Spans handed to the collector, by result (ok, error).",
            ),
            &["result"],
        )?;
        registry.register(Box::new(dropped.clone()))?;
        registry.register(Box::new(finished.clone()))?;
        Ok(Self {
            dropped,
            exported: finished.with_label_values(&["ok"]),
            failed: finished.with_label_values(&["error"]),
        })
    }
}
