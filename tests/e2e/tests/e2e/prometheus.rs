//! The system as Prometheus sees it: every process is found through Consul, and every rule finds what it reads.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use stack::prometheus::{Neighbours, Prometheus};
use stack::{Plan, Reporter, parts, ports, wait};

use super::exposed;
use super::system::System;

/// Found and scraped twice; the targets of Consul are looked at every 5 s.
const FOUND: Duration = Duration::from_secs(60);

/// Rates need two scrapes within their window, recorded ones an evaluation after that.
const RECORDED: Duration = Duration::from_secs(90);

async fn beside(system: &System) -> Prometheus {
    let reporter = Reporter::new(|line| println!("{line}"));
    let binary = parts::PROMETHEUS.get(system.place(), &reporter).await;
    let binary = binary.unwrap_or_else(|error| panic!("{error}")).path;
    let neighbours = Neighbours {
        consul: system.consul().address(),
        span_metrics: ports::any(),
    };
    let prometheus =
        Prometheus::prepare(system.place(), binary, ports::any(), neighbours, &reporter).unwrap();
    let started = prometheus.start().await;
    started.unwrap_or_else(|error| panic!("{error}"));
    prometheus
}

/// The labels of a series.
fn labels(series: &Value) -> BTreeMap<String, String> {
    let labels = series["metric"].as_object().unwrap().iter();
    labels
        .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_process_is_found_through_consul_and_every_rule_has_data_under_load() {
    let system = System::start("prometheus").await;
    let prometheus = beside(&system).await;
    let load = system
        .load(Plan {
            rate: 50.0,
            duration: Duration::from_secs(90),
        })
        .await
        .unwrap();

    let wanted = system.instances().count();
    let up = wait::until("all targets", FOUND, || async {
        let up = prometheus.query("up{job=\"lictor\"} == 1").await?;
        if up.len() == wanted {
            Ok(up)
        } else {
            Err(format!("{} of {wanted} are up: {up:?}", up.len()))
        }
    })
    .await
    .unwrap();
    let mut places = BTreeSet::new();
    for target in up.iter().map(labels) {
        let (service, zone) = (&target["service"], &target["zone"]);
        assert!(
            target["instance"].starts_with(&format!("{service}-127.0.0.1-")),
            "the Consul id: {target:?}"
        );
        assert!(!target["version"].is_empty(), "{target:?}");
        places.insert((service.clone(), zone.clone()));
    }
    assert_eq!(places.len(), wanted, "each in its zone: {places:?}");

    let rules = prometheus.get("/api/v1/rules").await.unwrap();
    let groups = rules["data"]["groups"].as_array().unwrap().iter();
    let rules: Vec<Value> = groups
        .flat_map(|group| group["rules"].as_array().unwrap().clone())
        .collect();
    let recorded = rules.iter().filter(|rule| rule["type"] == "recording");
    let recorded: Vec<&str> = recorded
        .map(|rule| rule["name"].as_str().unwrap())
        .collect();
    assert!(recorded.len() > 10, "{recorded:?}");
    for name in recorded {
        let found = wait::until(name, RECORDED, || async {
            let series = prometheus.query(name).await?;
            if series.is_empty() {
                Err("no series".to_owned())
            } else {
                Ok(series)
            }
        })
        .await
        .unwrap();
        println!("{name}: {} series, such as {}", found.len(), found[0]);
    }

    exposed::everything_is_in_the_catalogue(&system).await;
    let report = load.finish().await;
    assert_eq!(report.errors, 0, "{report}");
    // How fast answers are is the machine's as much as ours.
    let firing = "ALERTS{alertstate=\"firing\", alertname!~\"BudgetBurn.*\"}";
    let firing = prometheus.query(firing).await;
    let firing: Vec<_> = firing.unwrap().iter().map(labels).collect();
    assert!(firing.is_empty(), "all was well: {firing:?}");
    assert!(prometheus.stop().await, "it ends when it is asked");
    system.stop().await;
}
