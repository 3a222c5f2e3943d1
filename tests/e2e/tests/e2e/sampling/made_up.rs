//! Traces that nobody made by asking: a server span and a client span below it, sent as OTLP in JSON.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use stack::Client;

use super::super::system::ok;

/// Of each trace.
pub const SPANS: usize = 2;

/// In one request.
const BATCH: usize = 250;

/// Traces of one kind, each sort a service of its own.
pub struct Sort {
    pub service: &'static str,
    pub count: usize,
    /// How long one lasts; slow is what lasts longer than 250 ms.
    lasts: Duration,
    /// Whether a call inside it fails, though its own answer does not.
    fails: bool,
}

pub const FINE: Sort = Sort {
    service: "made-up-fine",
    count: 4000,
    lasts: Duration::from_millis(200),
    fails: false,
};

pub const FAILED: Sort = Sort {
    service: "made-up-failed",
    count: 40,
    lasts: Duration::from_millis(200),
    fails: true,
};

pub const SLOW: Sort = Sort {
    service: "made-up-slow",
    count: 40,
    lasts: Duration::from_millis(300),
    fails: false,
};

impl Sort {
    /// The same in each run, and spread over all that are possible.
    pub fn ids(&self) -> impl Iterator<Item = String> {
        (0..self.count).map(|number| self.id(number))
    }

    fn id(&self, number: usize) -> String {
        // Odd, so that no two numbers have the same product.
        const SPREAD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
        let kind = u128::from(self.fails) * 2 + u128::from(self.lasts > FINE.lasts);
        let number = number as u128 * 4 + kind + 1;
        format!("{:032x}", number.wrapping_mul(SPREAD))
    }

    pub async fn send(&self, collector: &Client) {
        let ids: Vec<String> = self.ids().collect();
        for ids in ids.chunks(BATCH) {
            let spans = ids.iter().flat_map(|id| self.spans(id)).collect();
            self.export(collector, spans).await;
        }
    }

    /// One more than there are; its id.
    pub async fn send_another(&self, collector: &Client) -> String {
        let id = self.id(self.count);
        self.export(collector, self.spans(&id)).await;
        id
    }

    /// A span of that trace which its process had kept for long.
    pub async fn send_late(&self, collector: &Client, id: &str) {
        let span = span(id, 3, 3, Duration::from_millis(1), false);
        self.export(collector, vec![span]).await;
    }

    fn spans(&self, id: &str) -> Vec<Value> {
        let inner = self.lasts / 2;
        vec![
            span(id, 1, 2, self.lasts, false),
            span(id, 2, 3, inner, self.fails),
        ]
    }

    async fn export(&self, collector: &Client, spans: Vec<Value>) {
        let service = json!({ "key": "service.name", "value": { "stringValue": self.service } });
        let body = json!({ "resourceSpans": [{
            "resource": { "attributes": [service] },
            "scopeSpans": [{ "spans": spans }],
        }] });
        ok(collector.post("/v1/traces", &body).await);
    }
}

/// The first is the root, the others are below it. The kind is OTLP's: 2 server, 3 client.
fn span(trace: &str, number: u8, kind: u8, lasts: Duration, fails: bool) -> Value {
    let end = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let id = |number: u8| format!("{:015x}{number}", 1);
    json!({
        "traceId": trace,
        "spanId": id(number),
        "parentSpanId": if number == 1 { String::new() } else { id(1) },
        "name": "GET /made-up",
        "kind": kind,
        "startTimeUnixNano": (end - lasts).as_nanos().to_string(),
        "endTimeUnixNano": end.as_nanos().to_string(),
        "status": { "code": if fails { 2 } else { 0 } },
    })
}
