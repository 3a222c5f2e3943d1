//! The exporting thread: takes batches off the queue until the process stops.
//!
//! An export that fails is counted, logged once, and not repeated.
//! After the deadline of a shutdown what is left is counted as dropped, so that the thread ends too.

use std::{
    sync::{
        Arc, OnceLock,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use opentelemetry::Context;
use opentelemetry_sdk::{
    error::{OTelSdkError, OTelSdkResult},
    trace::{SpanData, SpanExporter},
};

use super::Metrics;

/// Spans per export, as the OpenTelemetry SDKs do by default: well below every collector's limit on a body.
pub(super) const BATCH: usize = 512;
/// How long a batch that is not full waits for more.
const INTERVAL: Duration = Duration::from_secs(1);

/// The thread's state.
pub(super) struct Worker<E> {
    pub(super) incoming: Receiver<Option<SpanData>>,
    pub(super) exporter: E,
    pub(super) stop_by: Arc<OnceLock<Instant>>,
    pub(super) metrics: Metrics,
    /// The last export failed: it has been logged.
    pub(super) failing: bool,
    /// Whether every batch since the order to stop reached the collector.
    pub(super) complete: bool,
}

impl<E: SpanExporter> Worker<E> {
    /// Exports until told to stop; whether everything since then reached the collector.
    pub(super) fn run(mut self) -> bool {
        let _untraced = Context::enter_telemetry_suppressed_scope();
        loop {
            let (batch, last) = self.collect();
            if !batch.is_empty() {
                self.send(batch);
            }
            if last {
                return self.complete;
            }
        }
    }

    /// The next batch, and whether it is the last one: the process stops, or nobody is left who could send.
    fn collect(&self) -> (Vec<SpanData>, bool) {
        let full_at = Instant::now() + INTERVAL;
        let mut batch = Vec::with_capacity(BATCH);
        while batch.len() < BATCH {
            let stopping = self.stop_by.get().is_some();
            let patience = if stopping {
                Duration::ZERO
            } else {
                full_at.saturating_duration_since(Instant::now())
            };
            match self.incoming.recv_timeout(patience) {
                Ok(Some(span)) => batch.push(span),
                Ok(None) => {}
                Err(RecvTimeoutError::Timeout) => return (batch, stopping),
                Err(RecvTimeoutError::Disconnected) => return (batch, true),
            }
        }
        (batch, false)
    }

    fn send(&mut self, batch: Vec<SpanData>) {
        let count = batch.len() as u64;
        if self
            .stop_by
            .get()
            .is_some_and(|deadline| Instant::now() >= *deadline)
        {
            self.metrics.dropped.inc_by(count);
            self.complete = false;
            return;
        }
        match self.export(batch) {
            Ok(()) => {
                self.metrics.exported.inc_by(count);
                if std::mem::take(&mut self.failing) {
                    tracing::info!("span export works again");
                }
            }
            Err(error) => {
                self.metrics.failed.inc_by(count);
                self.complete &= self.stop_by.get().is_none();
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(%error, spans = count, "span export failed");
                }
            }
        }
    }

    /// A blocking exporter is ready at its first poll. One that is not wants a runtime, which this thread has not.
    fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.exporter
            .export(batch)
            .now_or_never()
            .unwrap_or_else(|| {
                Err(OTelSdkError::InternalFailure(
                    "the exporter is not a blocking one".into(),
                ))
            })
    }
}
