//! What tracing costs the gateway: its CPU time for a request with tracing off, at 1 %, at 100 %.
//!
//! Three gateways of one system, alike but for their tracing, are asked in turns at one constant rate; those that are not asked do next to nothing.
//! CPU time is that of the gateway's whole process, in user mode and for system calls: the thread that exports is part of the price.
//! Each request is one server span and one client span; what the services pay for theirs is not in it.
//! Nothing is promised: what a request may cost is promised beside other gateways (`tests/bench`).

mod turn;

use std::time::Duration;

use self::turn::Turn;
use super::findings::Findings;
use super::ground::{Ground, RATE, SHORT_RATE};
use super::terms::Terms;
use super::typical::median;
use crate::error::Error;

/// How much is traced, by which gateway, as which share.
const WAYS: [(&str, &str, &str); 3] = [
    ("off", "gateway-1", "0"),
    ("1 %", "gateway-2", "0.01"),
    ("100 %", "gateway-3", "1.0"),
];

pub async fn run(terms: &Terms) -> Result<Findings, Error> {
    let (rounds, rate) = (terms.rounds(5, 1), terms.rate(RATE, SHORT_RATE));
    let lasts = Duration::from_secs(terms.seconds(20, 3));
    let mut findings = Findings::of("tracing-cost");
    let ground = Ground::with("tracing-cost", terms, |wishes| {
        // One zone for all three, so that they have the same instances near them.
        let same = wishes.gateways(WAYS.len());
        let same = same.set_for(crate::binaries::GATEWAY, "LICTOR_IDENTITY__ZONE", "a");
        let each = WAYS.iter().fold(same, |wishes, (_, name, ratio)| {
            wishes.set_for(*name, "LICTOR_TELEMETRY__SAMPLE_RATIO", *ratio)
        });
        each.set_for(WAYS[0].1, "LICTOR_TELEMETRY__OTLP_ENDPOINT", "")
    })
    .await?;

    let mut turns = WAYS.map(|_| Vec::new());
    for round in 1..=rounds {
        for ((way, name, _), turns) in WAYS.iter().zip(&mut turns) {
            ground.say(format!("round {round}: {way}"));
            turns.push(Turn::of(&ground, ground.instance(name)?, rate, lasts).await?);
        }
    }

    let costs = turns.each_ref().map(|turns| typical_cost(turns));
    for (((way, _, _), turns), cost) in WAYS.iter().zip(&turns).zip(costs) {
        let each = turns.iter().map(|one| format!("{:.1}", one.cost()));
        findings.tell(
            format!("CPU for a request, {way}: median (each round)"),
            format!(
                "{cost:.1} us = {:.2} x off ({})",
                cost / costs[0],
                each.collect::<Vec<_>>().join(" ")
            ),
            requests(turns),
        );
    }
    traced(&mut findings, &turns);
    let all: usize = turns.iter().map(|turns| requests(turns)).sum();
    let reports = || turns.iter().flatten().map(|one| &one.report);
    let errors: u64 = reports().map(|report| report.errors).sum();
    findings.promise("errors", "0", errors, all, errors == 0);
    reports().for_each(|report| findings.saw(report));
    ground.stop(&mut findings).await;
    Ok(findings)
}

/// That there was something to pay for, and nothing where it is off.
fn traced(findings: &mut Findings, turns: &[Vec<Turn>; 3]) {
    let spans = turns.each_ref().map(|turns| {
        let spans: f64 = turns.iter().map(|one| one.exported).sum();
        spans / requests(turns).max(1) as f64
    });
    let [off, some, all] = spans;
    findings.promise(
        "spans of the gateway that the collector took, for a request",
        "0 at off, >= 2 at 100 %",
        format!("{off:.3}, {some:.3}, {all:.3}"),
        turns.iter().map(|turns| requests(turns)).sum(),
        off == 0.0 && all >= 2.0,
    );
}

fn typical_cost(turns: &[Turn]) -> f64 {
    median(turns.iter().map(Turn::cost))
}

fn requests(turns: &[Turn]) -> usize {
    let each = turns.iter().map(|one| one.report.requests as usize);
    each.sum()
}
