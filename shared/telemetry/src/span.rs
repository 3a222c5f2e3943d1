//! Inner spans, for the places in a process where a request's time goes: picking, queueing, the store.
//!
//! They are children of whatever span is current, or of one that is held, and end when dropped.
//! Without a sampled parent there are none: work for no request begins no trace, and what is not kept costs a look
//! at the parent and no allocation.
//! Names and keys are fixed texts; what varies is a value, or a table of the schema.

mod wait;

pub use wait::Wait;

use std::future::Future;

use opentelemetry::{
    Context, KeyValue, Value,
    trace::{FutureExt, SpanBuilder, SpanKind, Status, TraceContextExt, Tracer},
};

use crate::traces;

/// A span that ends when dropped; or none, where nobody would see it.
#[derive(Debug)]
pub struct Span {
    cx: Option<Context>,
    /// Whether it is ours to end.
    ours: bool,
}

/// A span around work of this process itself.
pub fn internal(name: &'static str) -> Span {
    Span::current().internal(name)
}

/// Adds what was learnt to whatever span is current; without one it does nothing.
pub fn annotate(key: &'static str, value: impl Into<Value>) {
    Span::current().attribute(key, value);
}

impl Span {
    /// The current span, to have children or attributes; it is somebody else's to end.
    pub fn current() -> Self {
        let sampled = |cx: &Context| cx.span().span_context().is_sampled();
        Self {
            cx: Context::map_current(|cx| sampled(cx).then(|| cx.clone())),
            ours: false,
        }
    }

    /// No span: it takes everything and leaves nothing.
    pub const fn none() -> Self {
        Self {
            cx: None,
            ours: false,
        }
    }

    /// Whether it is kept, and what happens inside it.
    pub fn is_sampled(&self) -> bool {
        self.cx.is_some()
    }

    /// As [`internal`], inside this one.
    pub fn internal(&self, name: &'static str) -> Self {
        self.child(|| SpanBuilder::from_name(name).with_kind(SpanKind::Internal))
    }

    /// A span around one statement to a database, inside this one, by the database conventions: `SELECT orders`, or
    /// `SELECT` alone.
    ///
    /// `system` is `sqlite` or `postgresql`. Values never belong in any of the three.
    pub fn database(
        &self,
        system: &'static str,
        operation: &'static str,
        table: Option<&str>,
    ) -> Self {
        self.child(|| {
            let mut attributes = vec![
                KeyValue::new("db.system.name", system),
                KeyValue::new("db.operation.name", operation),
            ];
            let builder = match table {
                Some(table) => {
                    attributes.push(KeyValue::new("db.collection.name", table.to_owned()));
                    SpanBuilder::from_name(format!("{operation} {table}"))
                }
                None => SpanBuilder::from_name(operation),
            };
            builder
                .with_kind(SpanKind::Client)
                .with_attributes(attributes)
        })
    }

    /// Adds what was learnt on the way.
    pub fn attribute(&self, key: &'static str, value: impl Into<Value>) {
        if let Some(cx) = &self.cx {
            cx.span().set_attribute(KeyValue::new(key, value));
        }
    }

    /// Marks the span failed, with one of a closed set of error types.
    pub fn fail(&self, error_type: &'static str) {
        self.attribute("error.type", error_type);
        if let Some(cx) = &self.cx {
            cx.span().set_status(Status::error(""));
        }
    }

    /// Runs `future` inside the span, then ends it.
    pub async fn run<F: Future>(self, future: F) -> F::Output {
        match &self.cx {
            Some(cx) => future.with_context(cx.clone()).await,
            None => future.await,
        }
    }

    fn child(&self, builder: impl FnOnce() -> SpanBuilder) -> Self {
        let cx = self
            .cx
            .as_ref()
            .map(|parent| parent.with_span(traces::tracer().build_with_context(builder(), parent)));
        Self { cx, ours: true }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if let Some(cx) = self.cx.as_ref().filter(|_| self.ours) {
            cx.span().end();
        }
    }
}
