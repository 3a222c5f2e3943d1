//! What a test asks of a span.

use std::time::Duration;

use opentelemetry::trace::{SpanKind, Status};
use opentelemetry_sdk::trace::SpanData;

/// A span that has ended.
#[derive(Debug, Clone)]
pub struct Ended(pub(super) SpanData);

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
