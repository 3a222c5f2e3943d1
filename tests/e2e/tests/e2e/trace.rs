//! One order is one trace, through every process that took part.
//!
//! What is held of it here is held of the same trace in a real Jaeger, too (`companions.rs`).

use std::time::Duration;

use stack::sink::{Span, Trace};

use super::system::{System, ok};

/// Who calls whom for an order.
const CALLS: [(&str, &str); 3] = [
    ("gateway", "orders"),
    ("orders", "inventory"),
    ("orders", "payments"),
];

/// Whether it is one tree with every call of an order.
pub fn has_arrived(trace: &Trace) -> bool {
    let edges = trace.edges();
    let there = |(from, to): (&str, &str)| edges.contains(&(from.to_owned(), to.to_owned()));
    CALLS.into_iter().all(there) && trace.roots().len() == 1
}

/// Edges, kinds, status, places and what explains a choice.
pub fn assert_is_an_order(trace: &Trace) {
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
        assert!(
            call.attribute("lictor.pick_reason").is_some()
                && call.attribute("lictor.zone").is_some(),
            "{trace}"
        );
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
    let id = placed
        .header("traceresponse")
        .expect("the answer names its trace");
    // Each process sends its spans when its own batch is full or due.
    let whole = stack::wait::until("the whole trace", Duration::from_secs(20), || async {
        let trace = system.trace(id).await;
        let trace = trace.map_err(|error| error.to_string())?;
        if has_arrived(&trace) {
            Ok(trace)
        } else {
            Err(trace.to_string())
        }
    });
    let trace = whole.await.unwrap_or_else(|error| panic!("{error}"));
    assert_is_an_order(&trace);
    system.stop().await;
}
