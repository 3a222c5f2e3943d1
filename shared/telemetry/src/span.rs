//! Inner spans, for the places in a process where a request's time goes: picking, queueing, the store.
//!
//! They are children of whatever span is current and end when dropped.
//! Names and keys are fixed texts; what varies is a value.
//! Without sampling they cost a few hundred nanoseconds and leave nothing.

use std::future::Future;

use opentelemetry::{
    Context, KeyValue, Value,
    trace::{FutureExt, SpanBuilder, SpanKind, Status, TraceContextExt, Tracer},
};

use crate::traces;

/// A span that ends when dropped.
#[derive(Debug)]
pub struct Span {
    cx: Context,
}

/// A span around work of this process itself.
pub fn internal(name: &'static str) -> Span {
    Span::start(SpanBuilder::from_name(name).with_kind(SpanKind::Internal))
}

/// A span around one statement to a database, by the database conventions: `SELECT orders`.
///
/// `system` is `sqlite` or `postgresql`. Values never belong in any of the three.
pub fn database(system: &'static str, operation: &'static str, table: &'static str) -> Span {
    Span::start(
        SpanBuilder::from_name(format!("{operation} {table}"))
            .with_kind(SpanKind::Client)
            .with_attributes([
                KeyValue::new("db.system.name", system),
                KeyValue::new("db.operation.name", operation),
                KeyValue::new("db.collection.name", table),
            ]),
    )
}

/// Adds what was learnt to whatever span is current; without one it does nothing.
pub fn annotate(key: &'static str, value: impl Into<Value>) {
    Context::current()
        .span()
        .set_attribute(KeyValue::new(key, value));
}

impl Span {
    fn start(builder: SpanBuilder) -> Self {
        let parent = Context::current();
        let span = traces::tracer().build_with_context(builder, &parent);
        Self {
            cx: parent.with_span(span),
        }
    }

    /// Adds what was learnt on the way.
    pub fn attribute(&self, key: &'static str, value: impl Into<Value>) {
        self.cx.span().set_attribute(KeyValue::new(key, value));
    }

    /// Marks the span failed, with one of a closed set of error types.
    pub fn fail(&self, error_type: &'static str) {
        self.attribute("error.type", error_type);
        self.cx.span().set_status(Status::error(""));
    }

    /// Runs `future` inside the span, then ends it.
    pub async fn run<F: Future>(self, future: F) -> F::Output {
        future.with_context(self.cx.clone()).await
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        self.cx.span().end();
    }
}
