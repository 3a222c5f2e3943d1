//! The spans of this process that have ended, in memory.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock},
};

use opentelemetry::trace::{TraceId, TracerProvider};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};
use tracing_subscriber::{layer::SubscriberExt, util::SubscriberInitExt};

use crate::{start, traces};

static KEPT: OnceLock<Kept> = OnceLock::new();

/// The spans that have ended, by trace: a test that looks often must not hold up the others.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept(Arc<Mutex<HashMap<TraceId, Vec<SpanData>>>>);

impl Kept {
    pub(super) fn traces(&self) -> MutexGuard<'_, HashMap<TraceId, Vec<SpanData>>> {
        let traces = self.0.lock();
        traces.expect("nothing panics while holding this lock")
    }
}

impl SpanExporter for Kept {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let mut traces = self.traces();
        for span in batch {
            let trace = traces.entry(span.span_context.trace_id());
            trace.or_default().push(span);
        }
        Ok(())
    }
}

pub(super) fn kept() -> &'static Kept {
    KEPT.get_or_init(|| {
        let kept = Kept::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(kept.clone())
            .build();
        let tracer = provider.tracer("lictor");
        tracing_subscriber::registry()
            .with(start::exporting_layer(tracer.clone()))
            .try_init()
            .expect("a process has one subscriber: this one, or Telemetry's");
        traces::install(tracer);
        kept
    })
}
