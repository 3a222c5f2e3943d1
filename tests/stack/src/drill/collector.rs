//! F18: the collector of traces is down (it refuses connections), then hung (it accepts them and never answers), while every request is traced.
//!
//! Rounds in turns: a quiet stretch, then one of the two; p99s are those of the median second (`typical.rs`), and the median of the ratios counts.
//! The collector is the runner's own sink behind a wire: one that needs a core of the machine would slow the quiet stretches and flatter the faults.
//! A span that is not delivered must be counted by whoever made it: `lictor_spans_dropped_total` where the queue was full, `lictor_spans_exported_total{result="error"}` where its batch was not taken.
//! At the end everything is asked to stop while the collector hangs.

mod judged;
mod lost;
mod stretch;
mod wire;

use std::time::{Duration, Instant};

use self::judged::{back, bounded, counted, unnoticed};
use self::stretch::{Fault, Stretch};
use self::wire::Wire;
use super::findings::Findings;
use super::ground::{Ground, RATE, SHORT_RATE, pass};
use super::terms::Terms;
use crate::error::Error;
use crate::load::Journey;
use crate::ports;
use crate::sink::Sink;

/// The queues have something in them by then, and the exporting threads wait for an answer.
const HUNG_BEFORE_THE_END: Duration = Duration::from_secs(4);

pub async fn run(terms: &Terms) -> Result<Findings, Error> {
    let (rounds, rate) = (terms.rounds(5, 1), terms.rate(RATE, SHORT_RATE));
    // Of one batch it is known after 4 s that it was not taken.
    let lasts = Duration::from_secs(terms.seconds(10, 8));
    let mut findings = Findings::of("collector");
    let sink = Sink::start(ports::any()).await?;
    let mut wire = Wire::start(sink.address()).await?;
    let ground = Ground::with("collector", terms, |wishes| {
        wishes
            .otlp(format!("http://{}", wire.address))
            .set("LICTOR_TELEMETRY__SAMPLE_RATIO", "1.0")
    })
    .await?;
    let journey = Journey::shop(&ground.load_client()).await?;

    let mut stretches = Vec::new();
    for _ in 0..rounds {
        for fault in [Fault::Down, Fault::Hung] {
            let load = ground.load(rate, journey.clone());
            let way = (&mut wire, &sink);
            stretches.push(Stretch::pass(&ground, way, load, fault, lasts).await?);
        }
    }
    let load = ground.load(rate, journey);
    ground.mark(&load, "collector hung, to the end");
    wire.hang();
    pass(HUNG_BEFORE_THE_END).await;
    let last = load.end().await;

    for fault in [Fault::Down, Fault::Hung] {
        let of = stretches.iter().filter(|one| one.fault == fault);
        let of: Vec<&Stretch> = of.collect();
        unnoticed(&mut findings, terms, fault, &of);
        counted(&mut findings, fault, &of);
        back(&mut findings, fault, &of);
    }
    let reports = stretches.iter().map(|one| &one.report).chain([&last]);
    let (mut all, mut errors) = (0, 0);
    for report in reports {
        all += report.all().count();
        errors += report.all().errors().count();
        findings.saw(report);
    }
    findings.promise("errors", "0", errors, all, errors == 0);
    bounded(&mut findings, &stretches);
    let begin = Instant::now();
    ground.stop(&mut findings).await;
    let took = format!("{:.1} s", begin.elapsed().as_secs_f64());
    findings.tell("all of them ended, the collector hung, after", took, 1);
    Ok(findings)
}
