//! Each cause alert fires under its fault, names the culprit, and is silent without: before the fault, and after it is healed.
//!
//! The rules are the shipped ones with their own times; `promtool` tests show the same on made-up series.
//! Faults that have nothing to do with each other last at the same time, because the labels of an alert say whose it is.
//! The burn rates are not here: hours decide on them.

mod gate;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use stack::companions::Companion;
use stack::prometheus::Prometheus;
use stack::record::Record;
use stack::sink::Sink;
use stack::{Client, Journey, Load, Place, Plan, ports, wait};
use tokio::time::Instant;

use super::live_settings::Store;
use super::system::{System, ok, second};
use gate::Gate;

const STATE: &str = "stack-test/e2e-alerts";

/// Enough that failures use up the budget of retries; it ends with the test.
const PLAN: Plan = Plan {
    rate: 60.0,
    duration: Duration::from_secs(900),
};

/// Everybody has been scraped for longer than any rule waits, so that silence means something.
const CALM_S: u64 = 60;

/// What the rule waits for, its window, and what Consul and a scrape take: by far the most is `SnapshotOld`'s 90 s.
const FIRES_WITHIN: Duration = Duration::from_secs(150);

/// Windows of a minute empty themselves, and `InstanceMissing` is told by a median.
const SILENT_WITHIN: Duration = Duration::from_secs(180);

/// An alert, and what it has to say of the culprit.
type Expected = (&'static str, &'static [(&'static str, &'static str)]);

/// What fired, by alert.
#[derive(Default)]
struct Seen(BTreeMap<&'static str, Fired>);

struct Fired {
    fault: &'static str,
    query: String,
    after: Duration,
    /// Since 1970, because it is compared with Prometheus' time.
    healed: Option<Duration>,
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes ten minutes: the rules wait as long as they do in earnest: cargo stack test --full"]
async fn each_cause_alert_fires_under_its_fault_and_is_silent_without() {
    let place = Place::find().unwrap().with_state(STATE);
    let consul = move || Some(Record::read(&place).ok()?.consul);
    let to_consul = Gate::open(consul).await;
    let sink = Sink::start(ports::any()).await.unwrap();
    let collector = sink.address();
    let to_collector = Gate::open(move || Some(collector)).await;
    let system = System::with("alerts", |wishes| {
        wishes
            .with([Companion::Prometheus])
            .otlp(to_collector.url())
            .set("LICTOR_FAULTS__ENABLED", "true")
            .set_for("orders", "LICTOR_CONSUL__ADDRESS", to_consul.url())
    })
    .await;
    let prometheus = system.companions().prometheus.as_ref().unwrap();
    let client = system.load_client();
    let journey = Journey::shop(&client).await.unwrap();
    let load = Load::start(PLAN, client, journey);
    second(&load, CALM_S).await;
    let firing = firing(prometheus).await.unwrap();
    assert!(firing.is_empty(), "all was well: {firing:?}");
    let mut seen = Seen::default();

    let store = Store::of(&system);
    // A breaker that opens ends the retries.
    store
        .put("breakers/users", &json!({ "mode": "observe" }))
        .await;
    for (service, fault) in [
        (
            "users",
            json!({ "kind": "error", "status": 500, "percent": 60, "for_s": 300 }),
        ),
        (
            "inventory",
            json!({ "kind": "error", "status": 503, "for_s": 300 }),
        ),
        (
            "recommendations",
            json!({ "kind": "health", "ready": false, "for_s": 300 }),
        ),
    ] {
        system.fault(service, &fault).await.unwrap();
    }
    to_consul.close();
    to_collector.close();
    let under: &[(&'static str, Expected)] = &[
        (
            "users fails more often than retries can hide",
            (
                "RetryBudgetExhausted",
                &[("service", "gateway"), ("upstream", "users")],
            ),
        ),
        (
            "inventory fails",
            (
                "BreakerOpen",
                &[("service", "gateway"), ("upstream", "inventory")],
            ),
        ),
        (
            "recommendations calls itself unhealthy",
            (
                "PanicPicking",
                &[("service", "gateway"), ("upstream", "recommendations")],
            ),
        ),
        (
            "the collector is away",
            ("SpansDropped", &[("service", "gateway")]),
        ),
        (
            "orders cannot reach Consul",
            ("RegistrationMissing", &[("service", "orders")]),
        ),
        (
            "orders cannot reach Consul",
            ("SnapshotOld", &[("service", "orders")]),
        ),
    ];
    seen.wait(prometheus, under).await;
    system.clear_faults(None).await.unwrap();
    store.delete("breakers/users").await;
    to_consul.reopen();
    to_collector.reopen();
    seen.healed();

    silent(
        prometheus,
        &[
            "ZoneLost",
            "InstanceDown",
            "InstanceMissing",
            "ConsulWithoutLeader",
        ],
    )
    .await;
    system.zone_down("b").await.unwrap();
    let under: &[(&'static str, Expected)] = &[
        ("zone b is killed", ("ZoneLost", &[("zone", "b")])),
        ("zone b is killed", ("InstanceDown", &[("zone", "b")])),
    ];
    seen.wait(prometheus, under).await;
    system.zone_up("b").await.unwrap();
    seen.healed();

    silent(prometheus, &["InstanceMissing", "ConsulWithoutLeader"]).await;
    forget(&system, "payments-a1").await;
    let missing: Expected = ("InstanceMissing", &[("service", "payments"), ("zone", "a")]);
    let under = &[("payments-a1 is killed, and Consul forgets it", missing)];
    seen.wait(prometheus, under).await;
    system.restart("payments-a1").await.unwrap();
    seen.healed();

    silent(prometheus, &["ConsulWithoutLeader"]).await;
    system.kill("consul").await.unwrap();
    let leaderless: Expected = ("ConsulWithoutLeader", &[]);
    seen.wait(prometheus, &[("Consul is killed", leaderless)])
        .await;
    system.consul_start(false).await.unwrap();
    seen.healed();

    nothing_fires(prometheus).await;
    println!("{}", seen.table(prometheus).await);
    seen.complete(prometheus).await;
    load.end().await;
    system.stop().await;
}

impl Seen {
    /// Waits until each has fired; the faults have just begun.
    async fn wait(&mut self, prometheus: &Prometheus, under: &[(&'static str, Expected)]) {
        let begin = Instant::now();
        for (fault, (alert, labels)) in under {
            let matchers = labels
                .iter()
                .map(|(name, value)| format!(", {name}=\"{value}\""));
            let matchers: String = matchers.collect();
            let query = format!("ALERTS{{alertstate=\"firing\", alertname=\"{alert}\"{matchers}}}");
            let fired = wait::until(&query, FIRES_WITHIN, || async {
                match prometheus.query(&query).await?.is_empty() {
                    true => Err(format!("firing: {:?}", firing(prometheus).await?)),
                    false => Ok(()),
                }
            });
            fired
                .await
                .unwrap_or_else(|error| panic!("{fault}: {error}"));
            let fired = Fired {
                fault,
                query,
                after: begin.elapsed(),
                healed: None,
            };
            self.0.insert(alert, fired);
        }
    }

    /// Everybody is well again of whom it was not said before.
    fn healed(&mut self) {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap();
        for fired in self.0.values_mut() {
            fired.healed.get_or_insert(now);
        }
    }

    async fn table(&self, prometheus: &Prometheus) -> String {
        let mut table = format!("{:<22} fired  resolved after\n", "alert");
        for (alert, fired) in &self.0 {
            let resolved = fired.resolved(prometheus).await;
            let _ = writeln!(
                table,
                "{alert:<22} {:>3} s  {:>3} s  {}",
                fired.after.as_secs(),
                resolved.as_secs(),
                fired.fault
            );
        }
        table
    }

    /// No cause alert of the rules was left out.
    async fn complete(&self, prometheus: &Prometheus) {
        let rules = prometheus.get("/api/v1/rules?type=alert").await.unwrap();
        let groups = rules["data"]["groups"].as_array().unwrap().iter();
        let causes = groups.filter(|group| group["name"] == "causes");
        let rules = causes.flat_map(|group| group["rules"].as_array().unwrap());
        let names = rules.map(|rule| rule["name"].as_str().unwrap());
        let unseen: Vec<&str> = names.filter(|name| !self.0.contains_key(name)).collect();
        assert!(unseen.is_empty(), "without a fault here: {unseen:?}");
    }
}

impl Fired {
    /// From the end of the fault to the last time that the rule saw it; nothing, if it was over before.
    async fn resolved(&self, prometheus: &Prometheus) -> Duration {
        let last = format!("max_over_time(timestamp({})[1h:1s])", self.query);
        let last = prometheus.query(&last).await.unwrap();
        let last = last.iter().map(|one| one["value"][1].as_str().unwrap());
        let last = last.map(|text| text.parse::<f64>().unwrap());
        let last = last.reduce(f64::max).expect("it fired");
        Duration::from_secs_f64(last).saturating_sub(self.healed.unwrap())
    }
}

/// Those of these that fire.
async fn silent(prometheus: &Prometheus, alerts: &[&str]) {
    let firing = firing(prometheus).await.unwrap();
    let loud = |alert: &Value| alerts.iter().any(|name| alert["alertname"] == *name);
    let loud: Vec<&Value> = firing.iter().filter(|alert| loud(alert)).collect();
    assert!(loud.is_empty(), "nothing was broken yet: {loud:?}");
}

async fn nothing_fires(prometheus: &Prometheus) {
    let quiet = wait::until("silence", SILENT_WITHIN, || async {
        let firing = firing(prometheus).await?;
        match firing.is_empty() {
            true => Ok(()),
            false => Err(format!("{firing:?}")),
        }
    });
    quiet.await.unwrap_or_else(|error| panic!("{error}"));
}

/// The labels of every cause alert that fires.
async fn firing(prometheus: &Prometheus) -> Result<Vec<Value>, String> {
    let query = "ALERTS{alertstate=\"firing\", alertname!~\"BudgetBurn.*\"}";
    let series = prometheus.query(query).await?;
    Ok(series
        .into_iter()
        .map(|mut one| one["metric"].take())
        .collect())
}

/// Kills an instance and takes its registration away, which Consul would do after ten minutes.
async fn forget(system: &System, name: &str) {
    let instance = system.instance(name).unwrap();
    system.kill(name).await.unwrap();
    let registered = system.registered().await.unwrap();
    let public = instance.addresses.public;
    let mine = registered.iter().find(|one| one.address == public);
    let path = format!("/v1/agent/service/deregister/{}", mine.unwrap().id);
    let consul = Client::new(system.consul().address());
    ok(consul.put(&path, &Value::Null).await);
}
