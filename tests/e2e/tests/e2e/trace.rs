//! One order is one trace, through every process that took part.
//!
//! What is held of it here is held of the same trace in a real Jaeger, too (`companions.rs`, `compose.rs`).

use std::time::Duration;

use serde_json::json;
use stack::sink::{Span, Trace};

use super::system::{System, ok, trace_id};

/// In the runner's own sink.
const ARRIVES: Duration = Duration::from_secs(20);

/// Who calls whom for an order.
const CALLS: [(&str, &str); 3] = [
    ("gateway", "orders"),
    ("orders", "inventory"),
    ("orders", "payments"),
];

/// Who was asked, as which attempt, and why there.
const OF_A_CALL: [&str; 9] = [
    "http.request.method",
    "http.response.status_code",
    "lictor.attempt",
    "lictor.breaker_state",
    "lictor.instance",
    "lictor.pick_reason",
    "lictor.upstream",
    "lictor.zone",
    "server.address",
];

/// Waits until an order's trace is there as a whole, whoever keeps it, and holds it to all that one has to be.
///
/// Each process sends its spans when its own batch is full or due.
pub async fn of_an_order(limit: Duration, ask: impl AsyncFn() -> Result<Trace, String>) -> Trace {
    let whole = stack::wait::until("the whole trace of an order", limit, || async {
        let trace = ask().await?;
        if has_arrived(&trace) {
            Ok(trace)
        } else {
            Err(trace.to_string())
        }
    });
    let trace = whole.await.unwrap_or_else(|error| panic!("{error}"));
    assert_is_an_order(&trace);
    trace
}

/// Whether it is one tree with every call of an order.
fn has_arrived(trace: &Trace) -> bool {
    let edges = trace.edges();
    let there = |(from, to): (&str, &str)| edges.contains(&(from.to_owned(), to.to_owned()));
    CALLS.into_iter().all(there) && trace.roots().len() == 1
}

/// Edges, kinds, status, places and what explains a choice.
fn assert_is_an_order(trace: &Trace) {
    let [root] = trace.roots()[..] else {
        panic!("not one root: {trace}");
    };
    assert_eq!(
        (&*root.service, root.kind),
        ("gateway", "server"),
        "{trace}"
    );
    for (from, to) in CALLS {
        assert!(is_a_call(trace, from, to), "{from} to {to}: {trace}");
    }
    for span in &trace.spans {
        assert!(["a", "b"].contains(&span.zone.as_str()), "{trace}");
        assert_ne!(span.status, "error", "{trace}");
        let instance_of_service = span.instance.starts_with(&format!("{}-", span.service));
        assert!(
            instance_of_service,
            "{} is the Consul id: {trace}",
            span.instance
        );
    }
    let clients = trace.spans.iter().filter(|span| span.kind == "client");
    let (statements, calls): (Vec<_>, Vec<_>) =
        clients.partition(|span| span.attribute("db.system.name").is_some());
    for service in ["orders", "inventory", "payments"] {
        let stored = statements.iter().any(|span| span.service == service);
        assert!(stored, "{service} has a database: {trace}");
    }
    for call in calls {
        for told in OF_A_CALL {
            assert!(call.attribute(told).is_some(), "{told} of {call}: {trace}");
        }
    }
    let served = trace.spans.iter().filter(|span| span.kind == "server");
    for span in served {
        let route = span.attribute("http.route").unwrap();
        let method = span.attribute("http.request.method").unwrap();
        assert_eq!(span.name, format!("{method} {route}"), "{trace}");
        let status = span.attribute("http.response.status_code").unwrap();
        assert!(status.starts_with('2'), "{span}: {trace}");
    }
}

/// Whether a client span of the first has a server span of the second below it.
fn is_a_call(trace: &Trace, from: &str, to: &str) -> bool {
    let calls = |span: &&Span| span.service == from && span.kind == "client";
    let callers = trace.spans.iter().filter(calls);
    let mut called = callers.flat_map(|span| trace.children(span));
    called.any(|span| span.service == to && span.kind == "server")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_one_trace_from_the_gateway_to_inventory_and_payments() {
    let system = System::start("trace").await;
    let order = system.order().await;
    let placed = ok(system.client().post("/api/orders", &order).await);
    let id = trace_id(&placed);
    let ask = async || system.trace(&id).await.map_err(|error| error.to_string());
    of_an_order(ARRIVES, ask).await;
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_is_a_sibling_of_what_it_repeats() {
    let system = System::with("trace-retry", |wishes| {
        wishes.set("LICTOR_FAULTS__ENABLED", "true")
    })
    .await;
    let fails = json!({ "kind": "error", "status": 503, "for_s": 60 });
    system.fault("users-a1", &fails).await.unwrap();
    let answer = ok(system.load_client().get("/api/users?limit=2").await);
    let id = trace_id(&answer);
    let whole = stack::wait::until("both attempts", ARRIVES, || async {
        let trace = system.trace(&id).await;
        let trace = trace.map_err(|error| error.to_string())?;
        let by_gateway = trace.spans.iter().any(|span| span.service == "gateway");
        match by_gateway && trace.is_whole() {
            true => Ok(trace),
            false => Err(trace.to_string()),
        }
    });
    let trace = whole.await.unwrap_or_else(|error| panic!("{error}"));
    let root = trace.roots()[0];
    let attempts = trace.children(root);
    let attempts = attempts.iter().filter(|span| span.kind == "client");
    let told = attempts.map(|span| {
        let status = span.attribute("http.response.status_code");
        let resent = span.attribute("http.request.resend_count");
        (
            status,
            span.status,
            resent,
            span.attribute("lictor.attempt"),
        )
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            (Some("503"), "error", None, Some("1")),
            (Some("200"), "unset", Some("1"), Some("2")),
        ],
        "{trace}"
    );
    assert_eq!(root.status, "unset", "the client had its answer: {trace}");
    system.stop().await;
}
