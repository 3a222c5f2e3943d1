//! What the stretches say of the promises.

use std::time::Duration;

use super::super::findings::Findings;
use super::super::terms::Terms;
use super::super::typical::{median, typical};
use super::lost::Lost;
use super::stretch::{Fault, Stretch};

const MOST_RATIO: f64 = 1.05;
const SHORT_RATIO: f64 = 5.0;
/// Whoever waited for the collector waited 3 s, the time of an export.
const SHORT_P99_MS: f64 = 250.0;
const BACK_WITHIN: Duration = Duration::from_secs(10);
/// A queue of 4096 spans and the batch on its way are half of this; the rest is for the allocator.
const MOST_MORE_KIB: u64 = 16 * 1024;

pub fn unnoticed(findings: &mut Findings, terms: &Terms, fault: Fault, stretches: &[&Stretch]) {
    let p99s = stretches.iter().map(|one| {
        let all = one.report.all();
        let p99 = |second| terms.quantiles(&all.during(second)).p99;
        (
            typical(one.quiet.clone(), p99),
            typical(one.sick.clone(), p99),
        )
    });
    let p99s: Vec<(f64, f64)> = p99s.collect();
    let ratio = median(p99s.iter().map(|(quiet, sick)| sick / quiet));
    let sick = median(p99s.iter().map(|(_, sick)| *sick));
    let count = requests(stretches);
    let (promise, held) = match terms.short {
        // A second of them has one or two requests above its p99: enough to see that nobody waited, no more.
        true => (
            format!("<= {SHORT_RATIO:.0} x or < {SHORT_P99_MS:.0} ms"),
            ratio <= SHORT_RATIO || sick < SHORT_P99_MS,
        ),
        false => ("<= +5 %".to_owned(), ratio <= MOST_RATIO),
    };
    let change = 100.0 * (ratio - 1.0);
    findings.timed_promise(
        format!("{fault}: p99 against the quiet one"),
        promise,
        format!("{change:+.1} % (median of {}), {sick:.1} ms", p99s.len()),
        count,
        held,
    );
    let shown = p99s
        .iter()
        .map(|(quiet, sick)| format!("{quiet:.1}>{sick:.1}"));
    findings.tell(
        format!("{fault}: those p99s, quiet>sick, ms"),
        shown.collect::<Vec<_>>().join(" "),
        count,
    );
}

pub fn counted(findings: &mut Findings, fault: Fault, stretches: &[&Stretch]) {
    let count = requests(stretches);
    let sum = |of: usize| {
        let each = stretches.iter().map(|one| one.lost[of]);
        each.fold(Lost::default(), Lost::and)
    };
    let always = stretches.iter().all(|one| one.lost[0].all() > 0.0);
    findings.promise(
        format!("{fault}: spans that the gateway lost and counted"),
        "> 0, each time",
        sum(0),
        count,
        always,
    );
    findings.tell(
        format!("{fault}: spans that services lost and counted"),
        sum(1),
        count,
    );
}

pub fn back(findings: &mut Findings, fault: Fault, stretches: &[&Stretch]) {
    let backs: Option<Vec<Duration>> = stretches.iter().map(|one| one.back).collect();
    let slowest = backs.and_then(|backs| backs.into_iter().max());
    findings.arrival(
        format!("{fault}: a new trace arrives after its return"),
        format!("<= {} s", BACK_WITHIN.as_secs()),
        slowest.map_or("not always".to_owned(), |took| {
            format!("at most {:.1} s", took.as_secs_f64())
        }),
        stretches.len(),
        slowest.map(|took| took <= BACK_WITHIN),
    );
}

/// Against the first quiet time: what grew from round to round would show, too.
pub fn bounded(findings: &mut Findings, stretches: &[Stretch]) {
    let Some(first) = stretches.first().map(|one| &one.memory[0]) else {
        return;
    };
    let more = stretches.iter().flat_map(|one| &one.memory[1]);
    let more = more.filter_map(|(name, kib)| Some((kib.saturating_sub(*first.get(name)?), name)));
    let (most, name) = more
        .max()
        .map_or((u64::MAX, "nobody"), |(most, name)| (most, name.as_str()));
    findings.promise(
        "memory of any process beyond its first quiet time",
        format!("<= {} MiB", MOST_MORE_KIB / 1024),
        format!("{:.1} MiB ({name})", most as f64 / 1024.0),
        first.len(),
        most <= MOST_MORE_KIB,
    );
}

fn requests(stretches: &[&Stretch]) -> usize {
    let sick = stretches
        .iter()
        .map(|one| one.report.all().during(one.sick.clone()).count());
    sick.sum()
}
