//! The policy for production (`observability/jaeger/jaeger-sampled.yaml`): every failed and every slow trace is kept and a share of the rest, and the metrics made from spans count them all.
//!
//! Made-up traces say how many there are of each; two requests of the real system say that its own are told apart as well.

mod made_up;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use stack::companions::Companion;
use stack::jaeger::{Jaeger, Policy};
use stack::{Client, wait};

use super::companions::traces;
use super::system::{System, trace_id};
use made_up::{FAILED, FINE, SLOW, SPANS, Sort};

/// The decision waits 10 s for the rest of a trace; the processes send their spans every few seconds.
const DECIDED: Duration = Duration::from_secs(40);

/// They are flushed every 5 s.
const COUNTED: Duration = Duration::from_secs(20);

/// Of a binomial distribution: beyond it is one run of sixteen thousand, and the ids are the same in each run.
const DEVIATIONS: f64 = 4.0;

/// One system with that Jaeger.
struct Sampled {
    system: System,
    pages: Client,
    collector: Client,
}

impl Sampled {
    async fn start() -> Self {
        let system = System::with("sampling", |wishes| {
            wishes
                .with([Companion::JaegerSampled])
                .set("LICTOR_FAULTS__ENABLED", "true")
        })
        .await;
        let jaeger = jaeger(&system);
        let otlp = jaeger.otlp();
        let otlp = otlp.trim_start_matches("http://").parse().unwrap();
        Self {
            pages: Client::new(jaeger.address()),
            collector: Client::new(otlp),
            system,
        }
    }

    /// The ids that Jaeger has of a sort.
    async fn kept(&self, sort: &Sort) -> Result<BTreeSet<String>, String> {
        let (service, most) = (sort.service, sort.count + 1);
        let path = format!("/api/traces?service={service}&limit={most}");
        let answer = self.pages.get(&path).await;
        let answer = answer.map_err(|failure| failure.to_string())?.json();
        let ids = traces::list(&answer["data"]).iter();
        Ok(ids.map(|trace| traces::text(&trace["traceID"])).collect())
    }

    async fn until_kept(&self, ids: &BTreeSet<String>) {
        let kept = wait::until("the traces that are kept", DECIDED, || async {
            let mut missing = Vec::new();
            for id in ids {
                if traces::trace(&self.pages, id).await.is_err() {
                    missing.push(id);
                }
            }
            if missing.is_empty() {
                Ok(())
            } else {
                Err(format!("{} are missing: {missing:?}", missing.len()))
            }
        });
        kept.await.unwrap_or_else(|error| panic!("{error}"));
    }

    /// Waits until the metrics made from spans count that many of a sort.
    async fn until_counted(&self, sort: &Sort, spans: usize) {
        let metrics = Client::new(jaeger(&self.system).span_metrics());
        let label = format!("service_name=\"{}\"", sort.service);
        let counted = wait::until("the metrics of all spans", COUNTED, || async {
            let answer = metrics.get("/metrics").await;
            let text = answer.map_err(|failure| failure.to_string())?.text();
            let calls = text.lines().filter(|line| {
                line.starts_with("traces_span_metrics_calls_total{") && line.contains(&label)
            });
            let values = calls.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
            let counted = values.sum::<f64>() as usize;
            if counted == spans {
                Ok(())
            } else {
                Err(format!("{counted} of {spans} of {}", sort.service))
            }
        });
        counted.await.unwrap_or_else(|error| panic!("{error}"));
    }
}

fn jaeger(system: &System) -> &Jaeger {
    system.companions().jaeger.as_ref().unwrap()
}

/// The share of ordinary traces, as the file says.
fn share(system: &System) -> f64 {
    let file = system.place().root().join(Policy::Sampled.file());
    let text = std::fs::read_to_string(file).unwrap();
    let default = text.split("JAEGER_KEEP_PERCENT:-").nth(1).unwrap();
    default.split('}').next().unwrap().parse::<f64>().unwrap() / 100.0
}

/// One request that the faults of this system make fail or last; the id of its trace.
async fn asked(system: &System, path: &str) -> String {
    trace_id(&system.load_client().get(path).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Jaeger: cargo stack test --only seen"]
async fn what_failed_or_was_slow_is_kept_with_a_share_of_the_rest_and_all_of_it_is_counted() {
    let sampled = Sampled::start().await;
    let system = &sampled.system;
    let failing = json!({ "kind": "error", "status": 503, "for_s": 30 });
    system.fault("users", &failing).await.unwrap();
    let slow = json!({ "kind": "latency", "ms": 400, "for_s": 30 });
    system.fault("orders", &slow).await.unwrap();
    let real = [
        asked(system, "/api/users?limit=3").await,
        asked(system, "/api/orders?limit=3").await,
    ];

    let mut wanted = BTreeSet::from(real);
    for sort in [&FINE, &FAILED, &SLOW] {
        sort.send(&sampled.collector).await;
    }
    wanted.extend(FAILED.ids().chain(SLOW.ids()));
    sampled.until_kept(&wanted).await;

    // What comes later is judged by what was decided; when the last one is there, all before it has been judged.
    let dropped = FINE.ids();
    let kept = sampled.kept(&FINE).await.unwrap();
    let dropped = dropped.into_iter().find(|id| !kept.contains(id)).unwrap();
    let found = FAILED.ids().next().unwrap();
    for (sort, id) in [(&FINE, &dropped), (&FAILED, &found)] {
        sort.send_late(&sampled.collector, id).await;
    }
    let last = FAILED.send_another(&sampled.collector).await;
    sampled.until_kept(&BTreeSet::from([last])).await;
    let late = traces::trace(&sampled.pages, &found).await.unwrap();
    assert_eq!(late.spans.len(), SPANS + 1, "{late}");
    let late = traces::trace(&sampled.pages, &dropped).await;
    assert!(late.is_err(), "{late:?}");

    let (share, kept) = (share(system), sampled.kept(&FINE).await.unwrap().len());
    let expected = share * FINE.count as f64;
    let around = DEVIATIONS * (expected * (1.0 - share)).sqrt();
    println!(
        "kept: all {} that failed or were slow, {kept} of {} others (expected {expected:.0}, at most {around:.0} off)",
        wanted.len(),
        FINE.count
    );
    assert!((kept as f64 - expected).abs() <= around, "{kept} were kept");
    // With the late spans and the other trace.
    for (sort, more) in [(&FINE, 1), (&FAILED, 1 + SPANS), (&SLOW, 0)] {
        let spans = SPANS * sort.count + more;
        sampled.until_counted(sort, spans).await;
        println!("all {spans} spans of {} are counted", sort.service);
    }
    sampled.system.stop().await;
}
