//! The traces that are kept, at most so many, and what is kept of a span.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{self as otlp, span::SpanKind, status::StatusCode};

/// Ten minutes of 200 requests a second are 120 000; a person asks for one of the newest.
const TRACES: usize = 20_000;

/// About 500 bytes each: at most 100 MB, reached only by traces of more than ten spans.
const SPANS: usize = 200_000;

/// One span, as it is shown and asserted on.
#[derive(Clone, Debug)]
pub struct Span {
    pub id: String,
    pub parent: Option<String>,
    pub service: String,
    pub instance: String,
    pub zone: String,
    pub name: String,
    /// `server`, `client`, `internal`, `producer` or `consumer`.
    pub kind: &'static str,
    /// `unset`, `ok` or `error`.
    pub status: &'static str,
    /// Since the Unix epoch.
    pub start: Duration,
    pub duration: Duration,
    pub attributes: Vec<(String, String)>,
}

/// All spans of one trace that have arrived.
#[derive(Clone, Debug)]
pub struct Trace {
    pub id: String,
    pub spans: Vec<Span>,
}

/// A ring of traces.
#[derive(Debug, Default)]
pub struct Store {
    traces: HashMap<String, Vec<Span>>,
    order: VecDeque<String>,
    spans: usize,
}

impl Span {
    pub fn attribute(&self, key: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }
}

impl Store {
    pub fn add(&mut self, request: ExportTraceServiceRequest) {
        for resource in request.resource_spans {
            let about = resource
                .resource
                .map(|resource| resource.attributes)
                .unwrap_or_default();
            for span in resource
                .scope_spans
                .into_iter()
                .flat_map(|scope| scope.spans)
            {
                self.keep(hex(&span.trace_id), read(span, &about));
            }
        }
    }

    pub fn trace(&self, id: &str) -> Option<Trace> {
        self.traces.get(id).map(|spans| Trace {
            id: id.to_owned(),
            spans: spans.clone(),
        })
    }

    pub fn newest(&self, count: usize) -> Vec<Trace> {
        self.order
            .iter()
            .rev()
            .take(count)
            .filter_map(|id| self.trace(id))
            .collect()
    }

    fn keep(&mut self, trace: String, span: Span) {
        self.spans += 1;
        let spans = self.traces.entry(trace.clone()).or_default();
        if spans.is_empty() {
            self.order.push_back(trace);
        }
        spans.push(span);
        while self.order.len() > TRACES || self.spans > SPANS {
            let Some(oldest) = self.order.pop_front() else {
                return;
            };
            self.spans -= self.traces.remove(&oldest).map_or(0, |spans| spans.len());
        }
    }
}

fn read(span: otlp::Span, about: &[KeyValue]) -> Span {
    let of = |key: &str| {
        about
            .iter()
            .find(|pair| pair.key == key)
            .map(|pair| text(pair.value.as_ref()))
            .unwrap_or_default()
    };
    let kind = match span.kind() {
        SpanKind::Server => "server",
        SpanKind::Client => "client",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
        SpanKind::Internal | SpanKind::Unspecified => "internal",
    };
    let status = match span.status.as_ref().map(otlp::Status::code) {
        Some(StatusCode::Ok) => "ok",
        Some(StatusCode::Error) => "error",
        Some(StatusCode::Unset) | None => "unset",
    };
    Span {
        id: hex(&span.span_id),
        parent: Some(hex(&span.parent_span_id)).filter(|id| !id.is_empty()),
        service: of("service.name"),
        instance: of("service.instance.id"),
        zone: of("cloud.availability_zone"),
        kind,
        status,
        start: Duration::from_nanos(span.start_time_unix_nano),
        duration: Duration::from_nanos(
            span.end_time_unix_nano
                .saturating_sub(span.start_time_unix_nano),
        ),
        attributes: span
            .attributes
            .iter()
            .map(|pair| (pair.key.clone(), text(pair.value.as_ref())))
            .collect(),
        name: span.name,
    }
}

fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        Some(other) => format!("{other:?}"),
        None => String::new(),
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn span(id: u8) -> Span {
        read(
            otlp::Span {
                span_id: vec![id],
                ..Default::default()
            },
            &[],
        )
    }

    #[test]
    fn the_oldest_trace_goes_first_and_takes_its_spans_with_it() {
        let mut store = Store::default();
        for trace in 0..=TRACES {
            store.keep(trace.to_string(), span(1));
            store.keep(trace.to_string(), span(2));
        }
        assert!(store.trace("0").is_none());
        assert_eq!(store.trace("1").unwrap().spans.len(), 2);
        assert_eq!(store.spans, 2 * TRACES);
        assert_eq!(store.newest(1)[0].id, TRACES.to_string());
    }

    #[test]
    fn one_endless_trace_cannot_grow_without_bound() {
        let mut store = Store::default();
        for _ in 0..SPANS + 10 {
            store.keep("endless".into(), span(1));
        }
        assert!(store.spans <= SPANS);
    }
}
