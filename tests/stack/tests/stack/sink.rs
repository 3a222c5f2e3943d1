//! The trace sink over a real socket.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{
    ResourceSpans, ScopeSpans, Span, Status, span::SpanKind, status::StatusCode,
};
use prost::Message as _;
use stack::sink::Sink;
use stack::{Answer, Client};

const TRACE: [u8; 16] = [0xab; 16];

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue {
        value: Some(Value::StringValue(value.into())),
    });
    KeyValue {
        key: key.into(),
        value,
        ..Default::default()
    }
}

fn batch(service: &str, zone: &str, span: Span) -> Vec<u8> {
    let attributes = vec![
        attribute("service.name", service),
        attribute("cloud.availability_zone", zone),
    ];
    let resource = Some(Resource {
        attributes,
        ..Default::default()
    });
    let scope_spans = vec![ScopeSpans {
        spans: vec![span],
        ..Default::default()
    }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource,
            scope_spans,
            ..Default::default()
        }],
    }
    .encode_to_vec()
}

fn span(id: u8, parent: Option<u8>, kind: SpanKind, start_ms: u64) -> Span {
    Span {
        trace_id: TRACE.to_vec(),
        span_id: vec![id; 8],
        parent_span_id: parent.map(|id| vec![id; 8]).unwrap_or_default(),
        name: "GET /orders/{id}".into(),
        kind: kind.into(),
        start_time_unix_nano: start_ms * 1_000_000,
        end_time_unix_nano: (start_ms + 2) * 1_000_000,
        ..Default::default()
    }
}

async fn post(sink: &Sink, body: Vec<u8>, encoding: Option<&str>) -> Answer {
    let address: SocketAddr = sink.url().trim_start_matches("http://").parse().unwrap();
    let mut request = Request::post("/v1/traces")
        .header("host", "sink")
        .header("content-type", "application/x-protobuf");
    if let Some(encoding) = encoding {
        request = request.header("content-encoding", encoding);
    }
    let request = request.body(Full::new(Bytes::from(body))).unwrap();
    Client::new(address)
        .send(request, std::time::Duration::from_secs(10))
        .await
        .unwrap()
}

#[tokio::test]
async fn spans_from_several_processes_become_one_tree() {
    let sink = Sink::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let mut failed = span(3, Some(2), SpanKind::Server, 12);
    failed.status = Some(Status {
        code: StatusCode::Error.into(),
        ..Default::default()
    });
    failed.attributes = vec![attribute("error.type", "timeout")];
    let mut call = span(2, Some(1), SpanKind::Client, 11);
    call.attributes = vec![attribute("lictor.pick_reason", "local")];
    for (service, zone, span) in [
        ("orders", "b", failed),
        ("gateway", "a", call),
        ("gateway", "a", span(1, None, SpanKind::Server, 10)),
    ] {
        assert_eq!(
            post(&sink, batch(service, zone, span), None).await.status,
            200
        );
    }
    let id = "ab".repeat(16);
    let trace = sink.trace(&id).unwrap();
    let lines: Vec<String> = trace.to_string().lines().map(str::to_owned).collect();
    assert_eq!(
        lines,
        [
            format!("{id} (3 spans)"),
            "└─ gateway/a  server  GET /orders/{id}  unset  2.0 ms".to_owned(),
            "   └─ gateway/a  client  GET /orders/{id}  unset  2.0 ms  lictor.pick_reason=local"
                .to_owned(),
            "      └─ orders/b  server  GET /orders/{id}  error  2.0 ms  error.type=timeout"
                .to_owned(),
        ]
    );
    assert!(
        sink.trace(&format!("00-{id}-0000000000000001-01"))
            .is_some(),
        "a traceparent names its trace"
    );
    assert_eq!(sink.newest(5).len(), 1);
}

#[tokio::test]
async fn what_is_not_a_batch_is_refused_and_nothing_is_kept() {
    let sink = Sink::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    assert_eq!(
        post(&sink, b"not protobuf".to_vec(), None).await.status,
        400
    );
    assert_eq!(post(&sink, Vec::new(), Some("gzip")).await.status, 415);
    let address = sink.url().trim_start_matches("http://").parse().unwrap();
    assert_eq!(
        Client::new(address).get("/v1/traces").await.unwrap().status,
        404
    );
    assert!(sink.newest(5).is_empty());
}
