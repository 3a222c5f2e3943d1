//! An OTLP collector on a socket: takes `POST /v1/traces`, decodes it, keeps the spans.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message;

const PATIENCE: Duration = Duration::from_secs(15);

#[derive(Default)]
struct Received {
    spans: Mutex<Vec<Collected>>,
    more: Condvar,
}

/// A span and the resource it came from.
#[derive(Clone, Debug)]
pub struct Collected {
    pub span: Span,
    pub resource: Vec<KeyValue>,
}

#[derive(Clone)]
pub struct Sink {
    received: Arc<Received>,
    pub endpoint: String,
}

impl Sink {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::new(Received::default());
        let sink = Self {
            received: Arc::clone(&received),
            endpoint,
        };
        thread::spawn(move || {
            for connection in listener.incoming() {
                let received = Arc::clone(&received);
                thread::spawn(move || serve(connection.unwrap(), &received));
            }
        });
        sink
    }

    /// The spans of a trace, as soon as there are `count` of them.
    pub fn trace(&self, trace_id: &str, count: usize) -> Vec<Collected> {
        let until = Instant::now() + PATIENCE;
        let mut spans = self.received.spans.lock().unwrap();
        loop {
            let found: Vec<_> = spans
                .iter()
                .filter(|one| hex(&one.span.trace_id) == trace_id)
                .cloned()
                .collect();
            if found.len() >= count {
                return found;
            }
            let left = until.saturating_duration_since(Instant::now());
            let names: Vec<_> = found.iter().map(|one| &one.span.name).collect();
            assert!(
                !left.is_zero(),
                "{} of {count} spans of {trace_id}: {names:?}",
                found.len()
            );
            spans = self.received.more.wait_timeout(spans, left).unwrap().0;
        }
    }
}

fn serve(connection: TcpStream, received: &Received) {
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    let mut connection = connection;
    while let Some((head, body)) = request(&mut reader) {
        assert!(head.starts_with("POST /v1/traces HTTP/1.1"), "{head}");
        assert!(
            head.to_lowercase()
                .contains("content-type: application/x-protobuf"),
            "{head}"
        );
        let export = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
        let mut spans = received.spans.lock().unwrap();
        for resource in export.resource_spans {
            let attributes = resource.resource.unwrap_or_default().attributes;
            for span in resource
                .scope_spans
                .into_iter()
                .flat_map(|scope| scope.spans)
            {
                spans.push(Collected {
                    span,
                    resource: attributes.clone(),
                });
            }
        }
        drop(spans);
        received.more.notify_all();
        connection
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
    }
}

fn request(reader: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    loop {
        let before = head.len();
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
        if head.len() - before == 2 {
            break;
        }
    }
    let length = head
        .to_lowercase()
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The value of an attribute as text.
pub fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let value = &attributes
        .iter()
        .find(|one| one.key == key)?
        .value
        .as_ref()?
        .value;
    match value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    }
}
