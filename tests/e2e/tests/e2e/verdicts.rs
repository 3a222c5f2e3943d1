//! A scenario of k6 passes where its promise holds, and fails by name where the protection behind the promise is off: `k6/README.md` says which that is.
//!
//! Only exit code and names are held here; what was measured is printed.

use serde_json::json;
use stack::companions::Companion;
use stack::{Builder, k6};

use super::k6 as beside;
use super::live_settings::Store;
use super::system::System;

/// How a run of k6 ended.
struct Verdict {
    code: Option<i32>,
    said: String,
}

impl Verdict {
    /// Runs a scenario to its end.
    async fn of(name: &str, system: &System) -> Self {
        let prometheus = system.companions().prometheus.as_ref().unwrap();
        let mut child = beside::start(&beside::scenario(name, prometheus), system).await;
        let status = child.wait().await.unwrap();
        let said = std::fs::read_to_string(system.place().log("k6")).unwrap();
        let verdict = Self {
            code: status.code(),
            said,
        };
        println!("{name}: exit code {:?}", verdict.code);
        for line in verdict.facts() {
            println!("  {line}");
        }
        verdict
    }

    /// A line for each: kept or broken, its name, its promise, what was measured.
    fn facts(&self) -> Vec<&str> {
        let facts = self.said.split("msg=\"").skip(1);
        let facts = facts.filter_map(|rest| rest.lines().next()?.split("\" source=").next());
        facts.filter(|line| line.starts_with("fact ")).collect()
    }

    /// Whether the fact was broken, and k6 names the threshold that asks for it.
    fn names(&self, fact: &str) -> bool {
        let broken = format!("fact BROKEN {fact}:");
        let threshold = format!("facts_kept{{fact:{fact}}}");
        let crossed = |line: &str| line.contains("crossed") && line.contains(&threshold);
        self.facts().iter().any(|line| line.starts_with(&broken)) && self.said.lines().any(crossed)
    }

    fn kept(&self, fact: &str) -> bool {
        let kept = format!("fact kept   {fact}:");
        self.facts().iter().any(|line| line.starts_with(&kept))
    }
}

async fn measured(name: &str, wishes: impl FnOnce(Builder) -> Builder) -> System {
    let measured = |builder: Builder| {
        let builder = builder.with([Companion::Prometheus]);
        wishes(builder.set("LICTOR_FAULTS__ENABLED", "true"))
    };
    System::with(name, measured).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs k6 beside Prometheus: cargo stack test --only k6"]
async fn smoke_passes_on_a_system_that_is_well() {
    let system = measured("smoke", |wishes| wishes).await;
    let verdict = Verdict::of("smoke", &system).await;
    assert_eq!(verdict.code, Some(0), "{}", verdict.said);
    assert!(!verdict.facts().is_empty(), "{}", verdict.said);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs k6 beside Prometheus, and three minutes: cargo stack test --only k6"]
async fn retry_storm_names_the_amplification_where_the_budget_is_off() {
    let without = |wishes: Builder| wishes.set_for("gateway", "LICTOR_RETRIES__BUDGET", "false");
    let system = measured("retry-storm", without).await;
    let verdict = Verdict::of("retry-storm", &system).await;
    assert_eq!(verdict.code, Some(k6::BROKEN), "{}", verdict.said);
    assert!(verdict.kept("fault_in_force"), "{}", verdict.said);
    assert!(verdict.names("amplification"), "{}", verdict.said);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs k6 beside Prometheus, and three minutes: cargo stack test --only k6"]
async fn cascade_names_the_breakers_where_they_are_off() {
    let system = measured("cascade", |wishes| wishes).await;
    let off = json!({ "mode": "disabled" });
    Store::of(&system).put("breakers/inventory", &off).await;
    let verdict = Verdict::of("cascade-slow-inventory", &system).await;
    assert_eq!(verdict.code, Some(k6::BROKEN), "{}", verdict.said);
    assert!(verdict.kept("fault_in_force"), "{}", verdict.said);
    for caller in ["gateway", "orders"] {
        let fact = format!("{caller}_breaker_opened");
        assert!(verdict.names(&fact), "{fact}: {}", verdict.said);
    }
    system.stop().await;
}
