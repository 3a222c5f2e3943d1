//! F9: half of one service's calls fail, for a minute, while its breaker only observes: five failures in a row would open it and end the experiment.
//!
//! A tenth of the errors could all be retried away; half of them cannot without doubling the load, so the budget decides: 20 % of the requests and three a second.

use std::time::Duration;

use serde_json::json;

use super::findings::Findings;
use super::ground::{Ground, RATE, SHORT_RATE, pass};
use super::metrics::Metrics;
use super::terms::Terms;
use crate::error::Error;
use crate::load::{Journey, Outcome};

/// Its reads are neither shared nor remembered: what is not answered by it is not answered.
const VICTIM: &str = "users";
const ITS_ROUTE: &str = "user";
/// Routes that do without it, to see that they do.
const OTHERS: [&str; 3] = ["one order", "stock", "recommendation"];

const SETTLING: Duration = Duration::from_secs(3);
/// What was not spent in the last 10 s may be spent at once.
const BUDGET_WINDOW: f64 = 10.0;
const BUDGET_SHARE: f64 = 0.2;
const BUDGET_FLOOR: f64 = 3.0;
const LEAST_SUCCESS: f64 = 0.58;

pub async fn run(terms: &Terms) -> Result<Findings, Error> {
    let (seconds, rate) = (terms.seconds(60, 8), terms.rate(RATE, SHORT_RATE));
    let mut findings = Findings::of("retry-budget");
    let ground = Ground::start("retry-budget", terms).await?;
    let routes = [&[ITS_ROUTE], &OTHERS[..]].concat();
    let journey = Journey::shop(&ground.load_client()).await?.only(&routes);
    ground.breaker_mode(VICTIM, "observe").await?;
    // Counted from the first request: those before the fault earn retries too.
    let before = Metrics::of(ground.gateway()).await?;
    let load = ground.load(rate, journey);
    pass(SETTLING).await;

    let half = json!({ "kind": "error", "status": 500, "percent": 50, "for_s": seconds + 30 });
    ground.mark(&load, format!("half of what {VICTIM} is asked fails"));
    ground.fault(VICTIM, &half).await?;
    let begin = load.elapsed();
    pass(Duration::from_secs(seconds)).await;
    let end = load.elapsed();
    // The counters go on until they are read: the requests that earned retries are counted as long.
    let (after, read) = (Metrics::of(ground.gateway()).await?, load.elapsed());
    ground.clear_faults(Some(VICTIM)).await?;
    ground.mark(&load, format!("{VICTIM} healed"));
    let report = load.end().await;

    let all = report.all();
    let asked = all.during(begin..end).only(its);
    let labels = [("upstream", VICTIM)];
    let grew = |name: &str| after.sum(name, &labels) - before.sum(name, &labels);
    let (attempts, retries) = (grew("lictor_picks_total"), grew("lictor_retries_total"));
    let earning = all.during(Duration::ZERO..read).only(its).count();
    let (requests, time) = (earning as f64, read.as_secs_f64());
    let most = (1.0 + BUDGET_SHARE) * requests + BUDGET_FLOOR * (time + BUDGET_WINDOW);
    findings.promise(
        "attempts",
        format!("<= 1.2 x requests + 3/s = {most:.0}"),
        format!("{attempts:.0} ({:.2} x)", attempts / requests.max(1.0)),
        earning,
        attempts <= most,
    );
    findings.promise(
        "retries",
        "> 0",
        format!("{retries:.0}"),
        asked.count(),
        retries > 0.0,
    );
    let success = asked.share(|one| one.error.is_none() && one.fallback.is_none());
    // A few hundred coins, in short terms.
    findings.timed_promise(
        "success of idempotent requests, without fallbacks",
        ">= 58 %",
        format!("{:.1} %", 100.0 * success),
        asked.count(),
        success >= LEAST_SUCCESS,
    );
    let answered = asked.share(|one| one.error.is_none());
    findings.tell(
        "the same, with fallbacks",
        format!("{:.1} %", 100.0 * answered),
        asked.count(),
    );
    let others = all.during(begin..end).only(|one| !its(one));
    let errors = others.errors().count();
    findings.promise(
        "errors of the other services",
        "0",
        errors,
        others.count(),
        errors == 0,
    );
    findings.saw(report);
    ground.stop(&mut findings).await;
    Ok(findings)
}

fn its(one: &Outcome) -> bool {
    one.route == ITS_ROUTE
}
