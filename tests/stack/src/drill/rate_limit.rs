//! F17: a limit of 100 a second with a burst of 20, asked four times as much: admitted is what was promised, to the request, by all workers together.
//!
//! Then two gateways share the quota without a store: each charges two cells for a request, so that both together admit no more than one alone.
//! The load is split evenly; a client that stays with one of them gets half.
//! What may be admitted follows from how long was really asked: to the request, however late the last one came.

use std::time::Duration;

use super::findings::Findings;
use super::ground::Ground;
use super::metrics::Metrics;
use super::terms::Terms;
use crate::client::Client;
use crate::error::Error;
use crate::instance::Instance;
use crate::load::{Journey, Load, Outcome, Plan, Report, Slice, Step};
use crate::wait;

const REQUESTS: u32 = 100;
const BURST: u32 = 20;
/// Admitted may fall short of the rate by this much: the last cells come back after the last request.
const SHORT_BY: u64 = 10;

/// Gateways hear of each other through Consul.
const KNOWN_WITHIN: Duration = Duration::from_secs(10);

const ROUTE: &str = "users";

pub async fn run(terms: &Terms) -> Result<Findings, Error> {
    let mut findings = Findings::of("rate-limit");
    for gateways in [1, 2] {
        quota(&mut findings, terms, gateways).await?;
    }
    Ok(findings)
}

async fn quota(findings: &mut Findings, terms: &Terms, gateways: usize) -> Result<(), Error> {
    let (seconds, rate) = (terms.seconds(60, 5), terms.rate(400.0, 400.0));
    let ground = Ground::with("rate-limit", terms, |wishes| {
        let group = "LICTOR_LIMITS__GROUPS__USERS";
        wishes
            .gateways(gateways)
            .set_for(
                "gateway",
                format!("{group}__REQUESTS"),
                REQUESTS.to_string(),
            )
            .set_for("gateway", format!("{group}__PER_MS"), "1000")
            .set_for("gateway", format!("{group}__BURST"), BURST.to_string())
    })
    .await?;
    let asked: Vec<_> = ground
        .instances()
        .filter(|one| one.service == crate::binaries::GATEWAY)
        .collect();
    shared(&asked).await?;

    ground.say(format!(
        "{gateways} gateways, {rate} a second in all, {seconds} s"
    ));
    let plan = Plan {
        rate: rate / gateways as f64,
        duration: Duration::from_secs(seconds),
    };
    let loads = asked.iter().map(|gateway| {
        let client = Client::new(gateway.addresses.public).with_key(&ground.keys().demo);
        let journey = Journey::of(vec![Step::get(ROUTE, "/api/users?limit=1")]);
        Load::remembering(plan, client, journey).finish()
    });
    let reports: Vec<Report> = futures_util::future::join_all(loads).await;

    let count = |wanted: fn(&Outcome) -> bool| -> usize {
        let each = reports
            .iter()
            .map(|report| report.all().only(wanted).count());
        each.sum()
    };
    let all = count(|_| true);
    let admitted = count(|one| one.status == Some(200));
    let refused = count(|one| one.status == Some(429));
    // Each gateway gives its part of the burst and of the rate, so that the one that was asked longest bounds them all.
    let asked_for = reports.iter().map(|one| asked_for(&one.all())).max();
    let cells = f64::from(REQUESTS) * asked_for.unwrap_or_default().as_secs_f64();
    let bound = u64::from(BURST) + cells as u64;
    let by = if gateways == 1 {
        "one gateway, all workers"
    } else {
        "two gateways"
    };
    findings.promise(
        format!("admitted by {by}, asked for {seconds} s"),
        format!("<= {BURST} + {REQUESTS}/s = {bound}"),
        admitted,
        all,
        admitted as u64 <= bound,
    );
    planned(findings, terms, (admitted, all), seconds);
    findings.promise(
        "neither admitted nor told to wait (429)",
        "0",
        all - admitted - refused,
        all,
        admitted + refused == all,
    );
    for gateway in &asked {
        let labels = [("group", "users"), ("decision", "admitted")];
        let counted = Metrics::of(gateway)
            .await?
            .sum("lictor_rate_limit_decisions_total", &labels);
        findings.tell(
            format!("admitted as {} counts", gateway.name()),
            counted,
            all,
        );
    }
    reports.iter().for_each(|report| findings.saw(report));
    ground.stop(findings).await;
    Ok(())
}

/// What the plan comes to. Short terms hold its lower end alone: their five seconds have no time for a last request that comes late.
fn planned(findings: &mut Findings, terms: &Terms, (admitted, all): (usize, usize), seconds: u64) {
    let cells = u64::from(REQUESTS) * seconds;
    let (least, most) = (cells - SHORT_BY, cells + u64::from(BURST));
    let admitted = admitted as u64;
    let (promise, held) = if terms.short {
        (format!(">= {least}"), admitted >= least)
    } else {
        (
            format!("{least} to {most}"),
            (least..=most).contains(&admitted),
        )
    };
    findings.timed_promise("the same, as planned", promise, admitted, all, held);
}

/// From the first request to the last one that was admitted, at most: it came in before its answer did.
fn asked_for(all: &Slice<'_>) -> Duration {
    let first = all.iter().map(|one| one.at).min();
    let admitted = all.only(|one| one.status == Some(200));
    let last = admitted.iter().map(|one| one.at + one.took).max();
    last.unwrap_or_default()
        .saturating_sub(first.unwrap_or_default())
}

/// Waits until each of them counts them all: until then two would admit what two may.
async fn shared(asked: &[&Instance]) -> Result<(), Error> {
    let all = asked.len() as f64;
    for gateway in asked {
        wait::until("the quota to be shared", KNOWN_WITHIN, || async {
            let metrics = Metrics::of(gateway).await;
            let metrics = metrics.map_err(|error| error.to_string())?;
            match metrics.sum("lictor_rate_limit_gateways", &[]) {
                known if known == all => Ok(()),
                known => Err(format!("{} knows {known}", gateway.name())),
            }
        })
        .await?;
    }
    Ok(())
}
