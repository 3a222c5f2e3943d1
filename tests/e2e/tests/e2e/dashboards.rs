//! No panel is empty: every query of every dashboard, and every recording rule, finds something in a real Prometheus, and what panels ask of traces in a real Jaeger.
//!
//! The system is used, by its own load and by k6, and everything is broken once of which a dashboard has a panel.
//! What stands in for something that never happened does not count, so a panel about failures needs a failure here.
//! Each query is asked until it has found something: a breaker that is open is seen while it is.

mod sources;
mod troubles;

use std::fmt::Write as _;
use std::time::Duration;

use stack::companions::Companion;
use stack::dashboards::{Kind, Query, Source, Terms, queries};
use stack::jaeger::Jaeger;
use stack::k6::Scenario;
use stack::prometheus::Prometheus;
use stack::{Client, Journey, Load, Plan};
use tokio::process::Child;

use super::system::System;
use super::{exposed, k6};
use sources::Sources;

/// As long as there is trouble.
const PLAN: Plan = Plan {
    rate: 40.0,
    duration: Duration::from_secs(170),
};

/// Two scrapes and an evaluation after the last trouble.
const AFTERWARDS: Duration = Duration::from_secs(40);

/// Prometheus scrapes every 5 s; what lasts as long is seen.
const LOOK_EVERY: Duration = Duration::from_secs(4);

/// A query, and the most series (edges, traces) that it ever found.
struct Asked {
    query: Query,
    series: usize,
    /// What was said against it.
    refused: Option<String>,
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Jaeger and k6 beside Prometheus, and three minutes: cargo stack test --full"]
async fn every_query_of_every_dashboard_and_every_recording_rule_finds_something() {
    let system = System::with("dashboards", |wishes| {
        wishes
            .with([Companion::Jaeger, Companion::Prometheus])
            .set("LICTOR_FAULTS__ENABLED", "true")
            .set_for("gateway", "LICTOR_EDGE__IN_FLIGHT", troubles::PLACES)
    })
    .await;
    let prometheus = system.companions().prometheus.as_ref().unwrap();
    let jaeger = system.companions().jaeger.as_ref().map(Jaeger::address);
    let sources = Sources {
        prometheus,
        jaeger: Client::new(jaeger.unwrap()),
    };
    let mut asked = all(&system, prometheus).await;

    let client = system.load_client();
    let journey = Journey::shop(&client).await.unwrap();
    let journey = journey.with_orders(&client, 8, 0).await.unwrap();
    let load = Load::start(PLAN, client, journey);
    let k6 = tested(&system, prometheus).await;
    let troubles = troubles::all(&system, &load);
    tokio::select! {
        () = troubles => {}
        () = look(&sources, &mut asked) => unreachable!("it looks until it is told to stop"),
    }
    // Nothing is waited for that has been seen.
    let rest = tokio::time::timeout(AFTERWARDS, until_all_are_seen(&sources, &mut asked));
    let _ = rest.await;
    exposed::everything_is_in_the_catalogue(&system).await;
    drop(k6);
    let report = load.end().await;

    let table = table(&asked);
    println!("{table}");
    println!("{} requests, {} errors", report.requests, report.errors);
    system.stop().await;
    let empty: Vec<&Asked> = asked.iter().filter(|one| one.series == 0).collect();
    let (empty, all) = (empty.len(), asked.len());
    assert_eq!(empty, 0, "of {all} queries {empty} found nothing:\n{table}");
}

/// Dashboards in the order of files and panels, then the rules.
async fn all(system: &System, prometheus: &Prometheus) -> Vec<Asked> {
    let folder = system
        .place()
        .root()
        .join("observability/grafana/dashboards");
    let mut found = queries(&folder, &Terms::default()).unwrap();
    let rules = prometheus.get("/api/v1/rules").await.unwrap();
    let groups = rules["data"]["groups"].as_array().unwrap().iter();
    let rules = groups.flat_map(|group| group["rules"].as_array().unwrap());
    let recorded = rules.filter(|rule| rule["type"] == "recording");
    found.extend(recorded.map(|rule| Query {
        dashboard: "(rules)".to_owned(),
        panel: rule["labels"].to_string(),
        kind: Kind::Panel,
        source: Source::Prometheus,
        expression: rule["name"].as_str().unwrap().to_owned(),
    }));
    let asked = |query| Asked {
        query,
        series: 0,
        refused: None,
    };
    found.into_iter().map(asked).collect()
}

/// A test of k6 that writes what it sees into Prometheus; it ends when it is dropped.
async fn tested(system: &System, prometheus: &Prometheus) -> Child {
    let smoke = Scenario {
        // Its 20 s are to last as long as what slows it down.
        scale: Some(4.0),
        // What it promises is not promised while things are broken.
        facts: false,
        ..k6::scenario("smoke", prometheus)
    };
    k6::start(&smoke, system).await
}

/// Asks again and again.
async fn look(sources: &Sources<'_>, asked: &mut [Asked]) {
    let mut turns = tokio::time::interval(LOOK_EVERY);
    loop {
        turns.tick().await;
        ask(sources, asked).await;
    }
}

async fn until_all_are_seen(sources: &Sources<'_>, asked: &mut [Asked]) {
    let mut turns = tokio::time::interval(LOOK_EVERY);
    while asked.iter().any(|one| one.series == 0) {
        turns.tick().await;
        ask(sources, asked).await;
    }
}

/// Asks what has found nothing yet.
async fn ask(sources: &Sources<'_>, asked: &mut [Asked]) {
    for one in asked.iter_mut().filter(|one| one.series == 0) {
        match sources.count(&one.query).await {
            Ok(found) => one.series = found,
            Err(why) => one.refused = Some(why),
        }
    }
}

fn table(asked: &[Asked]) -> String {
    let mut table = String::from("series  dashboard | who asks | query\n");
    for one in asked {
        let kind = match one.query.kind {
            Kind::Panel => "",
            Kind::Annotation => "annotation ",
            Kind::Variable => "variable ",
        };
        let count = match one.series {
            0 => "EMPTY".to_owned(),
            some => some.to_string(),
        };
        let (query, refused) = (&one.query, one.refused.as_deref().unwrap_or_default());
        let _ = writeln!(
            table,
            "{count:>6}  {} | {kind}{} | {} {refused}",
            query.dashboard, query.panel, query.expression
        );
    }
    table
}
