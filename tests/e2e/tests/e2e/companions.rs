//! `up --with jaeger,prometheus`: from one order to its trace, its series, its log line, and from a latency back to a trace.

pub mod traces;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use stack::companions::Companion;
use stack::jaeger::Jaeger;
use stack::prometheus::Prometheus;
use stack::record::Record;
use stack::{Client, wait};

use super::logs;
use super::system::{System, ok, trace_id};
use super::trace;
use traces::{list, text};

/// Each process sends its spans when its own batch is full or due.
const TRACED: Duration = Duration::from_secs(30);

/// Targets are found and scraped every 5 s; what is made from spans is flushed every 5 s before that.
const SCRAPED: Duration = Duration::from_secs(60);

/// Written before the answer; what writes it is another process.
const LOGGED: Duration = Duration::from_secs(10);

/// The latencies that carry exemplars are those made from spans.
const LATENCIES: &str = "traces_span_metrics_duration_seconds_bucket{service_name=\"gateway\"}";

async fn the_trace_is_in(jaeger: &Client, id: &str) {
    let trace = trace::of_an_order(TRACED, async || traces::trace(jaeger, id).await).await;
    println!("{trace}");
}

async fn the_series_is_in(prometheus: &Prometheus) {
    let expression = "http_server_request_duration_seconds_count{service=\"gateway\", method=\"POST\", route=~\"/api/orders.*\"}";
    let found = wait::until("the gateway's series in Prometheus", SCRAPED, || async {
        let series = prometheus.query(expression).await?;
        if series.is_empty() {
            let up = prometheus.query("up{job=\"lictor\"}").await?;
            Err(format!("no series; targets: {up:?}"))
        } else {
            Ok(series)
        }
    });
    let found = found.await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(found.len(), 1, "one order was placed: {found:?}");
    assert_eq!(found[0]["value"][1], "1", "{found:?}");
}

async fn the_line_is_in(log: PathBuf, id: &str) {
    let line = wait::until("the gateway's line of the order", LOGGED, || async {
        let lines = logs::lines(&log);
        let line = lines.iter().find(|line| line["trace_id"] == id);
        line.cloned()
            .ok_or_else(|| format!("{} others", lines.len()))
    });
    let line = line.await.unwrap_or_else(|error| panic!("{error}"));
    println!("line: {line}");
}

/// What a person clicks on in a latency panel leads to a trace.
async fn an_exemplar_leads_back(prometheus: &Prometheus, jaeger: &Client) {
    let known = wait::until("an exemplar whose trace is in Jaeger", SCRAPED, || async {
        let series = prometheus.exemplars(LATENCIES).await?;
        let exemplars = series.iter().flat_map(|one| list(&one["exemplars"]));
        let ids: BTreeSet<String> = exemplars
            .map(|one| text(&one["labels"]["trace_id"]))
            .collect();
        for id in &ids {
            let trace = traces::trace(jaeger, id).await;
            if trace.is_ok_and(|trace| !trace.spans.is_empty()) {
                return Ok(id.clone());
            }
        }
        Err(format!("{} series, traces {ids:?}", series.len()))
    });
    println!(
        "exemplar of {}",
        known.await.unwrap_or_else(|error| panic!("{error}"))
    );
}

/// Ends it, and looks whether anything of it is left.
async fn down(system: System) {
    let place = system.place().clone();
    let record = Record::read(&place).unwrap_or_else(|error| panic!("{error}"));
    let names: BTreeSet<&str> = record
        .children
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    let expected = system.instances().count() + 3;
    assert_eq!(names.len(), expected, "and what is beside them: {names:?}");
    for beside in ["consul", "jaeger", "prometheus"] {
        assert!(names.contains(beside), "{names:?}");
    }
    system.stop().await;
    for child in &record.children {
        let process = PathBuf::from(format!("/proc/{}", child.pid));
        assert!(!process.exists(), "{} lives", child.name);
    }
    for (what, address) in [("jaeger", record.jaeger), ("prometheus", record.prometheus)] {
        let address = address.unwrap_or_else(|| panic!("{what} was not recorded"));
        let answer = Client::new(address).get("/").await;
        assert!(answer.is_err(), "{what} answers: {answer:?}");
    }
    assert!(!place.run_file().exists() && !place.control_socket().exists());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Jaeger beside Prometheus: cargo stack test --full"]
async fn up_with_jaeger_and_prometheus_shows_an_order_in_both_and_down_leaves_nothing() {
    let both = [Companion::Jaeger, Companion::Prometheus];
    let system = System::with("companions", |wishes| wishes.with(both)).await;
    let beside = system.companions();
    let jaeger = beside.jaeger.as_ref().map(Jaeger::address).unwrap();
    let jaeger = Client::new(jaeger);
    let prometheus = beside.prometheus.as_ref().unwrap();

    let order = system.order().await;
    let placed = ok(system.load_client().post("/api/orders", &order).await);
    let id = trace_id(&placed);

    the_trace_is_in(&jaeger, &id).await;
    the_series_is_in(prometheus).await;
    the_line_is_in(system.place().log(system.gateway().name()), &id).await;
    an_exemplar_leads_back(prometheus, &jaeger).await;
    down(system).await;
}
