//! One order is one trace, through every process that took part.

use std::collections::BTreeSet;
use std::time::Duration;

use super::system::{System, ok};

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_one_trace_from_the_gateway_to_inventory_and_payments() {
    let system = System::start("trace").await;
    let order = system.order().await;
    let placed = ok(system.client().post("/api/orders", &order).await);
    let id = placed
        .header("traceresponse")
        .expect("the answer names its trace");
    let calls = [
        ("gateway", "orders"),
        ("orders", "inventory"),
        ("orders", "payments"),
    ];
    let wanted: BTreeSet<(String, String)> = calls
        .into_iter()
        .map(|(from, to)| (from.to_owned(), to.to_owned()))
        .collect();
    // Each process sends its spans when its own batch is full or due.
    let whole = stack::wait::until("the whole trace", Duration::from_secs(20), || async {
        let trace = system.trace(id).await;
        let trace = trace.map_err(|error| error.to_string())?;
        let there = trace.edges().is_superset(&wanted) && trace.roots().len() == 1;
        if there {
            Ok(trace)
        } else {
            Err(trace.to_string())
        }
    });
    let trace = whole.await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(trace.roots().len(), 1, "{trace}");
    assert_eq!(
        (trace.roots()[0].service.as_str(), trace.roots()[0].kind),
        ("gateway", "server"),
        "{trace}"
    );
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
    system.stop().await;
}
