//! F24: three times what the gateway can take.
//!
//! Its capacity is set low by configuration (places) and by a service that takes its time, so that neither the generator nor the machine is what is measured.
//! The best it can do is measured first, a little above its capacity; then it is offered three times as much, then half.

use std::time::Duration;

use serde_json::json;

use super::findings::Findings;
use super::ground::Ground;
use super::terms::Terms;
use crate::error::Error;
use crate::load::{Journey, Load, Outcome, Plan, Report, Step};

/// `edge.in_flight`: requests of normal priority may take nine tenths.
const PLACES: f64 = 30.0;
const NORMAL: f64 = 0.9;
/// What every answer of the service takes.
const TAKES: Duration = Duration::from_millis(100);

const SERVICE: &str = "users";
/// Its answers are neither shared nor remembered: each costs a place for as long as it takes.
const PATH: &str = "/api/users?limit=1";

const LEAST_GOODPUT: f64 = 0.9;
const REJECTED_WITHIN_MS: f64 = 20.0;
const RECOVERED_WITHIN: Duration = Duration::from_secs(5);

pub async fn run(terms: &Terms) -> Result<Findings, Error> {
    let seconds = terms.seconds(20, 3);
    let mut findings = Findings::of("overload");
    let ground = Ground::with("overload", terms, |wishes| {
        wishes.set_for("gateway", "LICTOR_EDGE__IN_FLIGHT", PLACES.to_string())
    })
    .await?;
    let capacity = PLACES * NORMAL / TAKES.as_secs_f64();
    let lasts = 4 * seconds + 60;
    let slow = json!({ "kind": "latency", "ms": TAKES.as_millis() as u64, "for_s": lasts });
    ground.fault(SERVICE, &slow).await?;

    let offer = async |times: f64| -> Report {
        let rate = capacity * times;
        ground.say(format!(
            "{rate:.0} a second, {times} times its capacity, {seconds} s"
        ));
        let plan = Plan {
            rate,
            duration: Duration::from_secs(seconds),
        };
        let journey = Journey::of(vec![Step::get("user", PATH)]);
        Load::remembering(plan, ground.load_client(), journey)
            .finish()
            .await
    };
    // Connections are made and slow starts are over before the best is measured.
    offer(0.8).await;
    let best = offer(1.2).await;
    let over = offer(3.0).await;
    let after = offer(0.5).await;

    let goodput = |report: &Report| report.all().only(good).count() as f64 / seconds as f64;
    let (peak, under) = (goodput(&best), goodput(&over));
    findings.tell(
        "goodput at 1.2 times capacity",
        format!("{peak:.0}/s"),
        best.all().count(),
    );
    findings.promise(
        "goodput at 3 times capacity",
        ">= 90 % of that",
        format!("{under:.0}/s ({:.1} %)", 100.0 * under / peak.max(1.0)),
        over.all().count(),
        under >= LEAST_GOODPUT * peak,
    );
    let rejected = over.all().only(shed);
    let p99 = rejected.quantiles().p99;
    findings.promise(
        "rejections, p99",
        "<= 20 ms",
        format!("{p99:.1} ms"),
        rejected.count(),
        p99 <= REJECTED_WITHIN_MS,
    );
    let others = over.all().only(|one| !good(one) && !shed(one)).count();
    findings.promise(
        "neither answered nor told to come back (503)",
        "0",
        others,
        over.all().count(),
        others == 0,
    );
    let done = over.all().only(good).quantiles();
    findings.tell(
        "answers at 3 times capacity, p50 and p99",
        format!("{:.0} ms, {:.0} ms", done.p50, done.p99),
        done.count,
    );
    let last = after.all().errors().iter().map(|one| one.at).max();
    findings.promise(
        "recovered after the overload",
        "<= 5 s",
        last.map_or("at once".to_owned(), |at| {
            format!("{:.1} s", at.as_secs_f64())
        }),
        after.all().count(),
        last.is_none_or(|at| at <= RECOVERED_WITHIN),
    );
    [best, over, after]
        .iter()
        .for_each(|report| findings.saw(report));
    ground.stop(&mut findings).await;
    Ok(findings)
}

fn good(one: &Outcome) -> bool {
    one.status == Some(200) && one.fallback.is_none()
}

fn shed(one: &Outcome) -> bool {
    one.status == Some(503)
}
