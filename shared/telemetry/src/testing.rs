//! What tests of other crates need: the spans of this process, kept in memory.
//!
//! The tracer and the subscriber of a process are global, so all tests of a binary share them; each has a trace of its
//! own, and sees that only.

use std::{
    collections::HashMap,
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use opentelemetry::{
    Context,
    trace::{
        FutureExt, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId,
        TraceState, TracerProvider,
    },
};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};
use tracing_subscriber::{layer::SubscriberExt, util::SubscriberInitExt};

use crate::{propagation, start, traces};

/// The id of the next trace, which may not be zero.
static NEXT: AtomicU64 = AtomicU64::new(1);
static KEPT: OnceLock<Kept> = OnceLock::new();

/// The spans that have ended, by trace: a test that looks often must not hold up the others.
#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<HashMap<TraceId, Vec<SpanData>>>>);

/// A trace that a test began somewhere else.
#[derive(Debug)]
pub struct Trace {
    parent: SpanContext,
}

/// A span that has ended.
#[derive(Debug, Clone)]
pub struct Ended(SpanData);

impl Trace {
    /// One whose spans are kept.
    pub fn sampled() -> Self {
        Self::with(TraceFlags::SAMPLED)
    }

    /// One that whoever began it decided not to keep.
    pub fn unsampled() -> Self {
        Self::with(TraceFlags::NOT_SAMPLED)
    }

    /// The one that a `traceresponse` names, of who believes no incoming context.
    ///
    /// # Panics
    /// It names none.
    pub fn answered(traceresponse: &str) -> Self {
        let parent = propagation::parse(traceresponse, "");
        Self {
            parent: parent.expect("a traceresponse"),
        }
    }

    fn with(flags: TraceFlags) -> Self {
        keep();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let parent = SpanContext::new(
            TraceId::from(u128::from(number)),
            SpanId::from(number),
            flags,
            true,
            TraceState::NONE,
        );
        Self { parent }
    }

    /// Its `traceparent`, for who calls a service.
    pub fn header(&self) -> (&'static str, String) {
        ("traceparent", propagation::format(&self.parent))
    }

    /// Does that work in it.
    pub async fn run<F: Future>(&self, work: F) -> F::Output {
        let cx = Context::new().with_remote_span_context(self.parent.clone());
        work.with_context(cx).await
    }

    /// Its spans that have ended, in that order.
    pub fn spans(&self) -> Vec<Ended> {
        let kept = kept().traces();
        let spans = kept.get(&self.parent.trace_id());
        spans.into_iter().flatten().cloned().map(Ended).collect()
    }

    /// The only one of this name.
    ///
    /// # Panics
    /// There is none, or more than one.
    pub fn span(&self, name: &str) -> Ended {
        let spans = self.spans();
        let mut named = spans.iter().filter(|span| span.0.name == name);
        match (named.next(), named.next()) {
            (Some(one), None) => one.clone(),
            _ => panic!("no single {name} in {spans:#?}"),
        }
    }
}

impl Ended {
    /// What it is called.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether it is a call to somebody else.
    pub fn is_client(&self) -> bool {
        self.0.span_kind == SpanKind::Client
    }

    /// Whether it is marked as failed.
    pub fn failed(&self) -> bool {
        matches!(self.0.status, Status::Error { .. })
    }

    /// An attribute, as text.
    pub fn said(&self, key: &str) -> Option<String> {
        let mut attributes = self.0.attributes.iter();
        let found = attributes.find(|one| one.key.as_str() == key);
        found.map(|one| one.value.to_string())
    }

    /// Whether it is a part of that one.
    pub fn is_child_of(&self, parent: &Self) -> bool {
        self.0.parent_span_id == parent.0.span_context.span_id()
    }

    /// How long it took.
    pub fn took(&self) -> Duration {
        let took = self.0.end_time.duration_since(self.0.start_time);
        took.unwrap_or_default()
    }
}

/// From now on the spans of this process are kept; [`Trace::sampled`] does so too.
pub fn keep() {
    kept();
}

/// Spans of this process that have ended and are called that, whatever their trace.
pub fn ended_as(name: &str) -> Vec<Ended> {
    let kept = kept().traces();
    let named = kept.values().flatten().filter(|span| span.name == name);
    named.cloned().map(Ended).collect()
}

impl Kept {
    fn traces(&self) -> MutexGuard<'_, HashMap<TraceId, Vec<SpanData>>> {
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

fn kept() -> &'static Kept {
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
