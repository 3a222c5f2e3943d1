//! A trace as Jaeger answers for it, read into the same shape as the runner's own sink keeps.

use std::time::Duration;

use serde_json::Value;
use stack::Client;
use stack::sink::{Span, Trace};

/// The trace of that id, as much of it as Jaeger has.
pub async fn trace(jaeger: &Client, id: &str) -> Result<Trace, String> {
    let path = format!("/api/traces/{id}");
    let answer = jaeger.get(&path).await.map_err(|why| why.to_string())?;
    let answer = match answer.status {
        200 => answer.json(),
        status => return Err(format!("{path}: {status} {}", answer.text())),
    };
    let [trace] = list(&answer["data"]) else {
        return Err(format!("not one trace: {answer}"));
    };
    let spans = list(&trace["spans"]).iter();
    Ok(Trace {
        id: id.to_owned(),
        spans: spans.map(|span| read(span, &trace["processes"])).collect(),
    })
}

fn read(span: &Value, processes: &Value) -> Span {
    let process = &processes[text(&span["processID"])];
    let about = tags(process);
    let tags = tags(span);
    let microseconds =
        |field: &str| Duration::from_micros(span[field].as_u64().unwrap_or_default());
    let mut references = list(&span["references"]).iter();
    let parent = references.find(|one| one["refType"] == "CHILD_OF");
    Span {
        id: text(&span["spanID"]),
        parent: parent.map(|one| text(&one["spanID"])),
        service: text(&process["serviceName"]),
        instance: tag(&about, "service.instance.id"),
        zone: tag(&about, "cloud.availability_zone"),
        name: text(&span["operationName"]),
        kind: match tag(&tags, "span.kind").as_str() {
            "server" => "server",
            "client" => "client",
            "producer" => "producer",
            "consumer" => "consumer",
            _ => "internal",
        },
        status: match tag(&tags, "otel.status_code").as_str() {
            "OK" => "ok",
            "ERROR" => "error",
            _ => "unset",
        },
        start: microseconds("startTime"),
        duration: microseconds("duration"),
        attributes: tags,
    }
}

/// Jaeger's word for attributes.
fn tags(of: &Value) -> Vec<(String, String)> {
    let pair = |tag: &Value| (text(&tag["key"]), text(&tag["value"]));
    list(&of["tags"]).iter().map(pair).collect()
}

fn tag(tags: &[(String, String)], name: &str) -> String {
    let found = tags.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.clone()).unwrap_or_default()
}

pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub fn text(value: &Value) -> String {
    let text = value.as_str().map(str::to_owned);
    text.unwrap_or_else(|| value.to_string())
}
