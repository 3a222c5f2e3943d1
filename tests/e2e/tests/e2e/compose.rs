//! `compose.yaml` for real: every container that it names, brought up, used, robbed of a zone, and taken down.
//!
//! Images that are on this machine are used as they are; for the others there are stand-ins from local programs (`standin.rs`), so that no registry is needed.
//! Grafana has none: it is there where the engine has its image, and that it is left out is said.
//! Ours are always stand-ins, under a name of their own: what is tried is the code of today.
//! How ours are really made is tried by `dockerfile.rs`.

mod bases;
mod builder;
mod dockerfile;
mod engine;
mod grafana;
mod standin;
mod tree;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stack::binaries::{GATEWAY, SERVICES};
use stack::{Client, wait};

use super::companions::traces;
use super::system::{ok, trace_id, turn};
use super::trace;
use engine::Engine;

/// Known to everybody: compose.yaml says so.
const KEY: &str = "load.compose-load-key-known-to-everybody";

/// The customer that users is seeded with.
const CUSTOMER: &str = "usr_01937c6e-5a00-7000-8000-0000000000c3";

/// Spans leave within a second, Prometheus scrapes every five; a busy machine takes longer.
const SEEN: Duration = Duration::from_secs(60);

/// Requests while a zone is away: half of them would have gone there.
const REQUESTS: usize = 200;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker engine (apt-get install docker.io postgresql busybox-static; dockerd &): cargo stack test --full"]
async fn compose_brings_everything_up_and_a_lost_zone_is_not_noticed() {
    let _turn = turn().await;
    let engine = Engine::here().await;
    standin::ours(&engine).await;
    standin::theirs(&engine).await;

    let with_grafana = grafana::is_here(&engine).await;

    let begin = Instant::now();
    let services: Vec<String> = engine
        .compose(&["config", "--services"])
        .await
        .lines()
        .filter(|name| *name != "grafana" || with_grafana)
        .map(str::to_owned)
        .collect();
    let mut up = vec!["up", "-d", "--no-build", "--wait", "--wait-timeout", "180"];
    up.extend(services.iter().map(String::as_str));
    engine.compose(&up).await;
    println!(
        "{} containers healthy after {:.1} s",
        services.len(),
        begin.elapsed().as_secs_f64()
    );
    println!("{}", engine.memory().await);

    let gateway = Client::new(engine.port("gateway")).with_key(KEY);
    let trace = an_order(&gateway).await;
    the_trace_is_whole(&engine, &trace).await;
    let scraped = |name: &&String| !["grafana", "postgres"].contains(&name.as_str());
    the_series_are_there(&engine, services.iter().filter(scraped).count()).await;
    if with_grafana {
        grafana::shows_what_is_provisioned(&engine).await;
    }
    a_zone_can_go(&engine, &gateway).await;

    engine.down().await;
    let left = engine.left().await;
    assert_eq!(left, "", "down left something behind");
}

/// Places an order on PostgreSQL, finds it again, and names its trace.
async fn an_order(gateway: &Client) -> String {
    let order = json!({ "user_id": CUSTOMER, "items": [{ "sku": "AMPHORA-OIL", "quantity": 1 }] });
    // Whatever is asked first opens connections and may take longer than an order may.
    ok(gateway.post("/api/orders", &order).await);
    let placed = ok(gateway.post("/api/orders", &order).await);
    let id = placed.json()["id"].clone();
    let listed = ok(gateway.get("/api/orders").await).json();
    let found = listed["items"]
        .as_array()
        .is_some_and(|all| all.iter().any(|one| one["id"] == id));
    assert!(found, "{id} is not among {listed}");
    trace_id(&placed)
}

async fn the_trace_is_whole(engine: &Engine, id: &str) {
    let jaeger = Client::new(engine.port("jaeger"));
    let trace = trace::of_an_order(SEEN, async || traces::trace(&jaeger, id).await).await;
    println!("trace {id}: {} spans", trace.spans.len());
}

async fn the_series_are_there(engine: &Engine, scraped: usize) {
    let targets = format!("count(up == 1) == {scraped}");
    for query in [
        targets.as_str(),
        "sum(http_server_request_duration_seconds_count{service=\"gateway\"}) > 0",
        "sum(traces_span_metrics_calls_total{service_name=\"orders\"}) > 0",
    ] {
        let found = wait::until(query, SEEN, || async {
            let answer = engine.prometheus(query).await?;
            match answer["data"]["result"].as_array() {
                Some(rows) if !rows.is_empty() => Ok(rows[0]["value"][1].clone()),
                _ => Err(answer.to_string()),
            }
        });
        println!("{query}: {}", found.await.unwrap());
    }
}

async fn a_zone_can_go(engine: &Engine, gateway: &Client) {
    let zone: Vec<String> = SERVICES.iter().map(|name| format!("{name}-b")).collect();
    let zone: Vec<&str> = zone.iter().map(String::as_str).collect();
    engine
        .compose(&[["kill"].as_slice(), zone.as_slice()].concat())
        .await;
    let mut failed = Vec::new();
    for turn in 0..REQUESTS {
        let path = ["/api/users", "/api/inventory/items"][turn % 2];
        match gateway.get(path).await {
            Ok(answer) if answer.status == 200 => {}
            Ok(answer) => failed.push(format!("{path}: {}", answer.status)),
            Err(failure) => failed.push(format!("{path}: {failure}")),
        }
    }
    println!(
        "zone b killed: {REQUESTS} requests, {} failed",
        failed.len()
    );
    assert!(failed.is_empty(), "{failed:?}");

    let mut again = vec!["up", "-d", "--no-build", "--wait", "--wait-timeout", "120"];
    again.extend(zone);
    engine.compose(&again).await;
    let both = |health: &Value| {
        let services = health["services"].as_object().cloned().unwrap_or_default();
        services.len() == SERVICES.len()
            && services
                .values()
                .all(|one| one["zones"] == json!({ "a": 1, "b": 1 }))
    };
    let back = wait::until("both zones of every service", SEEN, || async {
        let health = gateway
            .get("/api/health")
            .await
            .map_err(|why| why.to_string())?;
        if both(&health.json()) {
            Ok(())
        } else {
            Err(health.text())
        }
    });
    back.await.unwrap();
}

/// The binaries that become images of ours.
fn binaries() -> impl Iterator<Item = &'static str> {
    SERVICES.iter().copied().chain([GATEWAY])
}
