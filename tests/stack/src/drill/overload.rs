//! F24: three times what the gateway can take.
//!
//! Its capacity is set low by configuration (places) and by a service that takes its time, so that neither the generator nor the machine is what is measured.
//! The best it can do is measured first, a little above its capacity; then it is offered three times as much, and half from the moment at which that ends: it recovers while it is still full.
//! Every 503 is held against what the gateway says that it shed: a breaker that opened or a full bulkhead would refuse as fast, and prove nothing here.

mod recovery;

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep_until;

use self::recovery::recovered;
use super::findings::Findings;
use super::ground::Ground;
use super::metrics::Metrics;
use super::terms::Terms;
use crate::error::Error;
use crate::load::{Journey, Load, Outcome, Plan, Report, Slice, Step};

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
const SECOND: Duration = Duration::from_secs(1);

pub async fn run(terms: &Terms) -> Result<Findings, Error> {
    // Odd in short terms: the middle second of each phase counts.
    let lasts = Duration::from_secs(terms.seconds(20, 3));
    // What comes after the promised time must be seen, too.
    let afterwards = RECOVERED_WITHIN + lasts;
    let mut findings = Findings::of("overload");
    let ground = Ground::with("overload", terms, |wishes| {
        wishes.set_for("gateway", "LICTOR_EDGE__IN_FLIGHT", PLACES.to_string())
    })
    .await?;
    let capacity = PLACES * NORMAL / TAKES.as_secs_f64();
    let all = (3 * lasts + afterwards).as_secs() + 60;
    let slow = json!({ "kind": "latency", "ms": TAKES.as_millis() as u64, "for_s": all });
    ground.fault(SERVICE, &slow).await?;

    let offer = |times: f64, duration: Duration| -> Load {
        let rate = capacity * times;
        ground.say(format!(
            "{rate:.0} a second, {times} times its capacity, {} s",
            duration.as_secs()
        ));
        let journey = Journey::of(vec![Step::get("user", PATH)]);
        let plan = Plan { rate, duration };
        Load::remembering(plan, ground.load_client(), journey)
    };
    // Connections are made and slow starts are over before the best is measured.
    let warm = offer(0.8, lasts).finish().await;
    let best = offer(1.2, lasts).finish().await;
    let over = offer(3.0, lasts);
    sleep_until(over.began() + lasts).await;
    let after = offer(0.5, afterwards);
    let (over, after) = (over.finish().await, after.finish().await);
    let phases = [warm, best, over, after];
    told_to_come_back(&mut findings, &ground, &phases).await?;
    let [_, best, over, after] = &phases;

    goodput(&mut findings, terms, best, over, lasts);
    let rejected = over.all().only(shed);
    let held = terms.quantiles(&rejected);
    findings.timed_promise(
        "rejections, p99",
        "<= 20 ms",
        format!(
            "{:.1} ms ({:.1} ms at the client)",
            held.p99,
            rejected.quantiles().p99
        ),
        held.count,
        held.p99 <= REJECTED_WITHIN_MS,
    );
    let done = over.all().only(good).quantiles();
    findings.tell(
        "answers at 3 times capacity, p50 and p99",
        format!("{:.0} ms, {:.0} ms", done.p50, done.p99),
        done.count,
    );
    recovered(&mut findings, terms, &after.all());
    phases.iter().for_each(|report| findings.saw(report));
    ground.stop(&mut findings).await;
    Ok(findings)
}

fn goodput(findings: &mut Findings, terms: &Terms, best: &Report, over: &Report, lasts: Duration) {
    let a_second = |report: &Report| {
        if terms.short {
            middle_second(&report.all(), lasts)
        } else {
            report.all().only(good).count() as f64 / lasts.as_secs_f64()
        }
    };
    let (peak, under) = (a_second(best), a_second(over));
    findings.tell(
        "goodput at 1.2 times capacity",
        format!("{peak:.0}/s"),
        best.all().count(),
    );
    findings.arrival(
        "goodput at 3 times capacity",
        ">= 90 % of that",
        format!("{under:.0}/s ({:.1} %)", 100.0 * under / peak.max(1.0)),
        over.all().count(),
        (peak > 0.0 && under > 0.0).then_some(under >= LEAST_GOODPUT * peak),
    );
}

/// The median over the seconds: one in which the machine did something else counts no more than any other.
fn middle_second(all: &Slice<'_>, lasts: Duration) -> f64 {
    let seconds = (0..lasts.as_secs()).map(|second| {
        let from = SECOND * u32::try_from(second).unwrap_or(u32::MAX);
        all.during(from..from + SECOND).only(good).count()
    });
    let mut seconds: Vec<usize> = seconds.collect();
    seconds.sort_unstable();
    seconds.get(seconds.len() / 2).copied().unwrap_or(0) as f64
}

/// Whoever was not answered was told to come back, by the gateway's shedding and by nothing else.
async fn told_to_come_back(
    findings: &mut Findings,
    ground: &Ground,
    phases: &[Report],
) -> Result<(), Error> {
    let count = |wanted: fn(&Outcome) -> bool| -> usize {
        phases
            .iter()
            .map(|one| one.all().only(wanted).count())
            .sum()
    };
    let (all, refused) = (count(|_| true), count(shed));
    let others = all - refused - count(good);
    findings.promise(
        "neither answered nor told to come back (503)",
        "0",
        others,
        all,
        others == 0,
    );
    let metrics = Metrics::of(ground.gateway()).await?;
    let counted = metrics.sum("lictor_shed_total", &[("priority", "normal")]);
    findings.promise(
        "503s that the gateway shed",
        "all",
        format!("{counted:.0} of {refused}"),
        refused,
        counted == refused as f64,
    );
    let moved = metrics.sum("lictor_breaker_transitions_total", &[]);
    findings.promise("changes of breakers", "0", moved, all, moved == 0.0);
    Ok(())
}

fn good(one: &Outcome) -> bool {
    one.status == Some(200) && one.fallback.is_none()
}

fn shed(one: &Outcome) -> bool {
    one.status == Some(503)
}
