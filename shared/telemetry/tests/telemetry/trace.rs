//! One trace over two real hops, as the collector receives it.

use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};

use crate::{
    shop::{TRACE, inventory, trace_of},
    sink::{Collected, attribute, hex},
    world::{serve, world},
};

fn one<'a>(spans: &'a [Collected], name: &str, pick: impl Fn(&Span) -> bool) -> &'a Span {
    let found: Vec<_> = spans
        .iter()
        .map(|one| &one.span)
        .filter(|span| span.name == name && pick(span))
        .collect();
    assert_eq!(found.len(), 1, "{name}: {spans:#?}");
    found[0]
}

fn code(span: &Span) -> StatusCode {
    span.status
        .as_ref()
        .map_or(StatusCode::Unset, |status| status.code())
}

#[actix_web::test]
async fn a_call_over_two_hops_is_one_trace_with_retries_as_siblings() {
    let trace = format!("{TRACE}01");
    let spans = trace_of("inventory/items/42", &trace).await;
    let any = |_: &Span| true;
    let front = one(&spans, "GET /orders/{port}/{target:.*}", any);
    let back = one(&spans, "GET /inventory/items/{sku}", any);
    let first = one(&spans, "GET", |span| {
        attribute(&span.attributes, "lictor.attempt").unwrap() == "1"
    });
    let second = one(&spans, "GET", |span| {
        attribute(&span.attributes, "lictor.attempt").unwrap() == "2"
    });

    assert_eq!(hex(&front.parent_span_id), "b7ad6b7169203331");
    assert_eq!(first.parent_span_id, front.span_id);
    assert_eq!(second.parent_span_id, front.span_id);
    assert_eq!(back.parent_span_id, second.span_id);
    assert_eq!(back.trace_state, "vendor=x");
    for (inner, kind) in [
        ("pick", SpanKind::Internal),
        ("price", SpanKind::Internal),
        ("INSERT orders", SpanKind::Client),
    ] {
        let span = one(&spans, inner, any);
        assert_eq!(span.parent_span_id, front.span_id, "{inner}");
        assert_eq!(span.kind(), kind, "{inner}");
        assert_eq!(
            code(span),
            StatusCode::Unset,
            "{inner}: a logged error decides no status"
        );
    }

    assert_eq!(
        (front.kind(), back.kind()),
        (SpanKind::Server, SpanKind::Server)
    );
    assert_eq!(
        (first.kind(), second.kind()),
        (SpanKind::Client, SpanKind::Client)
    );
    assert_eq!(
        (code(front), code(back)),
        (StatusCode::Unset, StatusCode::Unset)
    );
    assert_eq!(
        (code(first), code(second)),
        (StatusCode::Error, StatusCode::Unset)
    );

    let said = |span: &Span, key| attribute(&span.attributes, key);
    assert_eq!(
        said(back, "http.route").as_deref(),
        Some("/inventory/items/{sku}")
    );
    assert_eq!(said(back, "http.request.method").as_deref(), Some("GET"));
    assert_eq!(
        said(back, "http.response.status_code").as_deref(),
        Some("200")
    );
    assert_eq!(
        said(back, "url.path").as_deref(),
        Some("/inventory/items/42")
    );
    assert_eq!(said(back, "url.scheme").as_deref(), Some("http"));
    assert_eq!(
        said(back, "network.peer.address").as_deref(),
        Some("127.0.0.1")
    );
    assert_eq!(said(back, "error.type"), None);
    assert_eq!(
        said(first, "error.type").as_deref(),
        Some("connection_refused")
    );
    assert_eq!(said(first, "http.request.resend_count"), None);
    assert_eq!(
        said(second, "http.request.resend_count").as_deref(),
        Some("1")
    );
    assert_eq!(said(second, "server.address").as_deref(), Some("127.0.0.1"));
    assert!(said(second, "server.port").is_some());
    assert_eq!(
        said(second, "lictor.instance").as_deref(),
        Some("inventory-1")
    );
    assert_eq!(said(second, "lictor.zone").as_deref(), Some("b"));
    assert_eq!(
        said(second, "lictor.pick_reason").as_deref(),
        Some("spill_load")
    );
    assert_eq!(
        said(second, "lictor.breaker_state").as_deref(),
        Some("closed")
    );

    let metrics = telemetry::metrics::text(&world().registry);
    let labels =
        r#"{error_type="",locality="remote",method="GET",status="200",upstream="inventory"}"#;
    assert!(
        metrics.contains(&format!(
            "http_client_request_duration_seconds_count{labels}"
        )),
        "{metrics}"
    );
}

#[actix_web::test]
async fn a_missing_thing_is_an_error_of_the_caller_only() {
    let spans = trace_of("missing", &format!("{TRACE}02")).await;
    let back = one(&spans, "GET /missing", |_| true);
    let client = one(&spans, "GET", |span| span.span_id == back.parent_span_id);
    assert_eq!(
        (code(back), code(client)),
        (StatusCode::Unset, StatusCode::Error)
    );
    assert_eq!(attribute(&back.attributes, "error.type"), None);
    assert_eq!(
        attribute(&client.attributes, "error.type").as_deref(),
        Some("404")
    );
}

#[actix_web::test]
async fn a_failure_is_an_error_on_both_sides_and_says_why() {
    let spans = trace_of("broken", &format!("{TRACE}03")).await;
    let back = one(&spans, "GET /broken", |_| true);
    let client = one(&spans, "GET", |span| span.span_id == back.parent_span_id);
    assert_eq!(
        (code(back), code(client)),
        (StatusCode::Error, StatusCode::Error)
    );
    assert_eq!(
        attribute(&back.attributes, "error.type").as_deref(),
        Some("no_endpoint")
    );
    assert_eq!(
        attribute(&client.attributes, "error.type").as_deref(),
        Some("503")
    );
}

#[actix_web::test]
async fn every_span_says_which_instance_it_came_from() {
    let spans = trace_of("inventory/items/1", &format!("{TRACE}04")).await;
    for (key, value) in [
        ("service.name", "orders"),
        ("service.namespace", "lictor"),
        ("service.version", "1.2.3"),
        ("service.instance.id", "orders-host-1-abcdef01"),
        ("deployment.environment.name", "test"),
        ("cloud.availability_zone", "a"),
    ] {
        assert_eq!(
            attribute(&spans[0].resource, key).as_deref(),
            Some(value),
            "{key}"
        );
    }
}

#[actix_web::test]
async fn a_strangers_context_is_a_link_and_its_flag_is_ignored() {
    let front = serve(false, inventory);
    let stranger = format!("{TRACE}05");
    let response = awc::Client::default()
        .get(format!("http://{front}/inventory/items/1"))
        .insert_header(("traceparent", format!("00-{stranger}-b7ad6b7169203331-00")))
        .send()
        .await
        .unwrap();
    let said = response
        .headers()
        .get("traceresponse")
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let fresh = said.split('-').nth(1).unwrap();
    assert_ne!(fresh, stranger);
    let spans = world().sink.trace(fresh, 1);
    assert!(spans[0].span.parent_span_id.is_empty());
    assert_eq!(hex(&spans[0].span.links[0].trace_id), stranger);
}

#[actix_web::test]
async fn what_is_logged_changes_while_the_process_runs() {
    let filter = world().telemetry.log_filter();
    filter.set("info,absent=trace").unwrap();
    assert!(filter.get().contains("absent=trace"), "{}", filter.get());
    filter.set("=[=").unwrap_err();
    filter.set("info").unwrap();
}
