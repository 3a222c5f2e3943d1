//! What tests of other crates need: the spans of this process, kept in memory.
//!
//! The tracer and the subscriber of a process are global, so all tests of a binary share them; each has a trace of its
//! own, and sees that only.

mod ended;
mod kept;

pub use ended::Ended;

use std::{
    future::Future,
    sync::atomic::{AtomicU64, Ordering},
};

use kept::kept;
use opentelemetry::{
    Context,
    trace::{FutureExt, SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState},
};

use crate::propagation;

/// The id of the next trace, which may not be zero.
static NEXT: AtomicU64 = AtomicU64::new(1);
/// A trace that a test began somewhere else.
#[derive(Debug)]
pub struct Trace {
    parent: SpanContext,
}

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
