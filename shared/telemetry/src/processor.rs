//! The bounded queue between requests and the collector.
//!
//! A request hands its span over with `try_send` and never waits; what does not fit is dropped and counted.
//! One thread takes batches off the queue and exports them, blocking as long as the exporter's own timeout allows.
//! Nothing is retried and nothing is kept beyond the queue, so memory is bounded whatever the collector does.
//! The SDK's batch processor does the same, but keeps its count of drops to itself.

mod metrics;
mod worker;

use std::{
    io,
    sync::{
        Arc, Mutex, OnceLock,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use opentelemetry::Context;
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{Span, SpanData, SpanExporter, SpanProcessor},
};

pub(crate) use metrics::Metrics;
use worker::Worker;

/// Spans that may wait: some seconds of a busy instance, a few megabytes.
const QUEUE: usize = 4096;

/// A span processor that never blocks the thread a span ends on.
#[derive(Debug)]
pub(crate) struct Batches {
    /// `None` wakes the thread, so that it sees that it must stop.
    queue: SyncSender<Option<SpanData>>,
    stop_by: Arc<OnceLock<Instant>>,
    done: Mutex<Receiver<bool>>,
    metrics: Metrics,
}

impl Batches {
    /// Starts the exporting thread. The exporter lives and dies on it: a blocking HTTP client must not be dropped on
    /// an async runtime.
    pub(crate) fn spawn<E>(
        mut exporter: E,
        resource: &Resource,
        metrics: Metrics,
    ) -> io::Result<Self>
    where
        E: SpanExporter + 'static,
    {
        exporter.set_resource(resource);
        let (queue, incoming) = sync_channel(QUEUE);
        let (report, done) = sync_channel(1);
        let stop_by = Arc::new(OnceLock::new());
        let worker = Worker {
            incoming,
            exporter,
            stop_by: Arc::clone(&stop_by),
            metrics: metrics.clone(),
            failing: false,
            complete: true,
        };
        thread::Builder::new()
            .name("span-export".into())
            .spawn(move || {
                let complete = worker.run();
                // Nobody waits any more after a shutdown that ran into its timeout.
                let _ = report.send(complete);
            })?;
        Ok(Self {
            queue,
            stop_by,
            done: Mutex::new(done),
            metrics,
        })
    }
}

impl SpanProcessor for Batches {
    fn on_start(&self, _span: &mut Span, _cx: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.queue.try_send(Some(span)).is_err() {
            self.metrics.dropped.inc();
        }
    }

    /// Does nothing: batches leave within a second, and only the end of a process needs more.
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.stop_by
            .set(Instant::now() + timeout)
            .map_err(|_| OTelSdkError::AlreadyShutdown)?;
        // A full queue wakes the thread as well.
        let _ = self.queue.try_send(None);
        let done = self
            .done
            .lock()
            .expect("nothing panics while holding this lock");
        match done.recv_timeout(timeout) {
            Ok(true) => Ok(()),
            Ok(false) => Err(OTelSdkError::InternalFailure(
                "the last spans were not exported".into(),
            )),
            Err(_) => Err(OTelSdkError::Timeout(timeout)),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use opentelemetry::trace::{Tracer, TracerProvider};
    use opentelemetry_sdk::trace::{InMemorySpanExporter, Sampler, SdkTracerProvider};
    use prometheus::Registry;

    use super::{worker::BATCH, *};

    /// Blocks in its first export until the test lets go of the other end.
    #[derive(Debug)]
    struct Stuck(Mutex<Receiver<()>>);

    impl SpanExporter for Stuck {
        async fn export(&self, _batch: Vec<SpanData>) -> OTelSdkResult {
            let _ = self.0.lock().unwrap().recv();
            Ok(())
        }
    }

    /// Never ready, as an async client without its runtime.
    #[derive(Debug)]
    struct Pending;

    impl SpanExporter for Pending {
        fn export(&self, _: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
            std::future::pending()
        }
    }

    /// Fails its first export only.
    #[derive(Debug, Default)]
    struct Recovering(AtomicBool);

    impl SpanExporter for Recovering {
        async fn export(&self, _batch: Vec<SpanData>) -> OTelSdkResult {
            if self.0.swap(true, Ordering::Relaxed) {
                return Ok(());
            }
            Err(OTelSdkError::InternalFailure("not yet".into()))
        }
    }

    fn provider<E: SpanExporter + 'static>(
        exporter: E,
        sampler: Sampler,
    ) -> (SdkTracerProvider, Metrics) {
        let metrics = Metrics::register(&Registry::new()).unwrap();
        let batches = Batches::spawn(
            exporter,
            &Resource::builder_empty().build(),
            metrics.clone(),
        )
        .unwrap();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(batches)
            .with_sampler(sampler)
            .build();
        (provider, metrics)
    }

    fn emit(provider: &SdkTracerProvider, spans: usize) {
        let tracer = provider.tracer("test");
        for _ in 0..spans {
            drop(tracer.start("span"));
        }
    }

    #[test]
    fn shutdown_exports_everything_that_is_queued() {
        let exporter = InMemorySpanExporter::default();
        let (provider, metrics) = provider(exporter.clone(), Sampler::AlwaysOn);
        emit(&provider, 1_500);
        provider
            .shutdown_with_timeout(Duration::from_secs(10))
            .unwrap();
        assert_eq!(metrics.exported.get(), 1_500);
        assert_eq!(metrics.dropped.get(), 0);
    }

    #[test]
    fn unsampled_spans_are_neither_exported_nor_counted_as_dropped() {
        let (provider, metrics) = provider(InMemorySpanExporter::default(), Sampler::AlwaysOff);
        emit(&provider, 10);
        provider
            .shutdown_with_timeout(Duration::from_secs(10))
            .unwrap();
        assert_eq!(metrics.exported.get() + metrics.dropped.get(), 0);
    }

    #[test]
    fn a_stuck_exporter_costs_drops_and_no_time() {
        let (release, stuck) = sync_channel(0);
        let (provider, metrics) = provider(Stuck(Mutex::new(stuck)), Sampler::AlwaysOn);
        let spans = QUEUE + 2 * BATCH + 1_000;
        emit(&provider, spans);
        // One batch is with the exporter at most, and one queue is full.
        assert!(metrics.dropped.get() as usize >= spans - QUEUE - BATCH);
        let begun = Instant::now();
        provider
            .shutdown_with_timeout(Duration::from_millis(50))
            .unwrap_err();
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "took {:?}",
            begun.elapsed()
        );
        drop(release);
    }

    #[test]
    fn an_old_failure_does_not_spoil_the_last_export() {
        let (provider, metrics) = provider(Recovering::default(), Sampler::AlwaysOn);
        emit(&provider, BATCH);
        let until = Instant::now() + Duration::from_secs(10);
        while metrics.failed.get() == 0 {
            assert!(Instant::now() < until, "nothing was exported: {metrics:?}");
            thread::yield_now();
        }
        emit(&provider, 3);
        provider
            .shutdown_with_timeout(Duration::from_secs(10))
            .unwrap();
        assert_eq!(
            (metrics.failed.get(), metrics.exported.get()),
            (BATCH as u64, 3)
        );
    }

    #[test]
    fn an_exporter_that_needs_a_runtime_is_an_error_and_not_a_hang() {
        let (provider, metrics) = provider(Pending, Sampler::AlwaysOn);
        emit(&provider, 3);
        provider
            .shutdown_with_timeout(Duration::from_secs(10))
            .unwrap_err();
        assert_eq!(metrics.failed.get(), 3);
    }
}
