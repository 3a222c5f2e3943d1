//! F8: one service takes two seconds more for everything, then answers nothing but errors. The others must not notice.
//!
//! Rounds in turns: a quiet stretch, then the fault; the others' p99 is held against the quiet stretch before it, and the median of the ratios counts.
//! The p99 of a stretch is that of its median second (`typical.rs`); the p99 over whole stretches is told beside it.
//! A failed call is one that the client of the gateway would have felt: retries included.

use std::ops::Range;
use std::time::Duration;

use serde_json::{Value, json};

use super::findings::Findings;
use super::ground::{Ground, RATE, SHORT_RATE, pass};
use super::metrics::Metrics;
use super::terms::Terms;
use super::typical::{median, typical};
use crate::error::Error;
use crate::load::{Journey, Load, Outcome, Report, Slice};

/// Its reads are neither shared nor remembered: what it does not answer is not answered.
const VICTIM: &str = "users";
/// Routes that need it; everything else is "the others".
const ITS_ROUTES: [&str; 3] = ["user", "profile", "dashboard"];
/// The one that it answers alone.
const OWN_ROUTE: &str = "user";

const SLOWER_BY_MS: u32 = 2000;
/// `slow_call` of the policies.
const SLOW_CALL: Duration = Duration::from_secs(1);
/// Ten calls must have become slow: at 50 and more a second that takes no longer.
const OPENS_AFTER_SLOW: Duration = Duration::from_millis(200);
/// At the rate of the short terms it takes longer.
const SHORT_AFTER_SLOW: Duration = Duration::from_millis(1000);

const MOST_RATIO: f64 = 1.10;
const SHORT_RATIO: f64 = 5.0;
/// Whoever waited for the victim waited 1 to 2 s; short of this nobody did, whatever the ratio to a quiet stretch of a few milliseconds.
const SHORT_P99_MS: f64 = 250.0;
const MOST_FAILED: usize = 20;
const OPENS_WITHIN: Duration = Duration::from_secs(1);
const FAILS_WITHIN_MS: f64 = 5.0;
const PROBES_A_SECOND: f64 = 1.0;

/// Latencies of new connections and the first breaths of the load are not the baseline.
const SETTLING: Duration = Duration::from_secs(3);

/// The breaker is first looked at: it is to be open by then, and tries nothing before 4.5 s.
const LOOKED_AFTER: Duration = Duration::from_secs(2);

/// One stretch with the fault, after a quiet one, in times of its load.
struct Stretch {
    report: Report,
    begin: Duration,
    opened: Option<Duration>,
    end: Duration,
    probes: f64,
}

pub async fn run(terms: &Terms) -> Result<Findings, Error> {
    let (rounds, rate) = (terms.rounds(5, 1), terms.rate(RATE, SHORT_RATE));
    let lasts = Duration::from_secs(terms.seconds(10, 4));
    let mut findings = Findings::of("slow-service");
    let ground = Ground::start("slow-service", terms).await?;
    let journey = Journey::shop(&ground.load_client()).await?;

    let for_s = lasts.as_secs() + 30;
    let slow = json!({ "kind": "latency", "ms": SLOWER_BY_MS, "for_s": for_s });
    let failing = json!({ "kind": "error", "status": 500, "for_s": for_s });
    let (mut slows, mut errors) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        for (what, fault, stretches) in [
            ("slow", &slow, &mut slows),
            ("failing", &failing, &mut errors),
        ] {
            let load = ground.load(rate, journey.clone());
            stretches.push(stretch(&ground, load, what, fault, lasts).await?);
            // A breaker that opened often waits longer each time; every round begins with a fresh one.
            ground.restart(ground.gateway().name()).await?;
        }
    }

    for (what, stretches) in [("slow", &slows), ("failing", &errors)] {
        others(&mut findings, what, stretches, terms.short);
        opened(&mut findings, what, stretches, terms.short);
    }
    let both: Vec<&Stretch> = slows.iter().chain(&errors).collect();
    fast(&mut findings, &both, terms.short);
    probed(&mut findings, &both);
    both.iter().for_each(|one| findings.saw(&one.report));
    ground.stop(&mut findings).await;
    Ok(findings)
}

/// Quiet, then the fault for as long.
async fn stretch(
    ground: &Ground,
    load: Load,
    what: &str,
    fault: &Value,
    lasts: Duration,
) -> Result<Stretch, Error> {
    pass(SETTLING + lasts).await;
    ground.mark(&load, format!("{VICTIM} {what}"));
    let begin = load.elapsed();
    ground.fault(VICTIM, fault).await?;
    // The breaker's own clock says when it opened; whoever asks it all the time takes the time of those who are measured.
    pass(LOOKED_AFTER).await;
    let opened = ground
        .until_breaker(VICTIM, "open", &load, lasts)
        .await
        .ok();
    let before = picks(ground).await?;
    pass((begin + lasts).saturating_sub(load.elapsed())).await;
    let (end, after) = (load.elapsed(), picks(ground).await?);
    ground.clear_faults(Some(VICTIM)).await?;
    Ok(Stretch {
        report: load.end().await,
        begin,
        opened,
        end,
        probes: after - before,
    })
}

/// Attempts that the gateway made at the victim.
async fn picks(ground: &Ground) -> Result<f64, Error> {
    let metrics = Metrics::of(ground.gateway()).await?;
    Ok(metrics.sum("lictor_picks_total", &[("upstream", VICTIM)]))
}

impl Stretch {
    fn quiet(&self) -> Slice<'_> {
        self.during(SETTLING..self.begin)
    }

    fn sick(&self) -> Slice<'_> {
        self.during(self.begin..self.end)
    }

    fn during(&self, times: Range<Duration>) -> Slice<'_> {
        self.report.all().during(times)
    }

    /// The others' p99 in its median second, quiet and sick.
    fn typical(&self) -> (f64, f64) {
        let p99 = |second| p99_of_others(self.during(second));
        (
            typical(SETTLING..self.begin, p99),
            typical(self.begin..self.end, p99),
        )
    }

    /// From the opening on.
    fn open(&self) -> Slice<'_> {
        let from = self.opened.unwrap_or(self.end);
        self.report.all().during(from..self.end)
    }
}

fn its(one: &Outcome) -> bool {
    ITS_ROUTES.contains(&one.route)
}

fn p99_of_others(all: Slice<'_>) -> f64 {
    all.only(|one| !its(one)).quantiles().p99
}

fn others(findings: &mut Findings, what: &str, stretches: &[Stretch], short: bool) {
    let p99s: Vec<(f64, f64)> = stretches.iter().map(Stretch::typical).collect();
    let ratio = median(p99s.iter().map(|(quiet, sick)| sick / quiet));
    let asked = |one: &Stretch| one.sick().only(|call| !its(call)).count();
    let count = stretches.iter().map(asked).sum();
    let shown = format!("{:+.1} % (median of {})", 100.0 * (ratio - 1.0), p99s.len());
    if short {
        // A few seconds have about four requests above their p99: enough to see that nobody waited for the victim, no more.
        let sick = median(p99s.iter().map(|(_, sick)| *sick));
        findings.timed_promise(
            format!("{what}: the others' p99 against their quiet one"),
            format!("<= {SHORT_RATIO:.0} x or < {SHORT_P99_MS:.0} ms"),
            format!("{shown}, {sick:.0} ms"),
            count,
            ratio <= SHORT_RATIO || sick < SHORT_P99_MS,
        );
    } else {
        findings.timed_promise(
            format!("{what}: the others' p99 against their quiet one"),
            format!("<= {:+.0} %", 100.0 * (MOST_RATIO - 1.0)),
            shown,
            count,
            ratio <= MOST_RATIO,
        );
    }
    let whole = stretches
        .iter()
        .map(|one| (p99_of_others(one.quiet()), p99_of_others(one.sick())));
    let told = [
        ("those p99s", p99s),
        ("p99s over whole stretches", whole.collect()),
    ];
    for (of, p99s) in told {
        let shown = p99s
            .iter()
            .map(|(quiet, sick)| format!("{quiet:.1}>{sick:.1}"));
        findings.tell(
            format!("{what}: {of}, quiet>sick, ms"),
            shown.collect::<Vec<_>>().join(" "),
            count,
        );
    }
    let failed = |one: &Stretch| one.sick().only(|call| !its(call)).errors().count();
    let errors: usize = stretches.iter().map(failed).sum();
    findings.promise(
        format!("{what}: the others' errors"),
        "0",
        errors,
        count,
        errors == 0,
    );
}

fn opened(findings: &mut Findings, what: &str, stretches: &[Stretch], short: bool) {
    let took = |one: &Stretch| one.opened.map(|at| at.saturating_sub(one.begin));
    let slowest = stretches
        .iter()
        .map(took)
        .max_by_key(|took| took.unwrap_or(Duration::MAX))
        .flatten();
    let shown = slowest.map_or("not always".to_owned(), |took| {
        format!("at most {:.2} s", took.as_secs_f64())
    });
    let failed = |one: &Stretch| {
        let until = one.opened.unwrap_or(one.end);
        let felt =
            |call: &Outcome| its(call) && call.error.is_some() && call.at + call.took <= until;
        one.sick().only(felt).count()
    };
    let failed = stretches.iter().map(failed).max().unwrap_or(0);
    if what == "slow" {
        let limit = SLOW_CALL
            + if short {
                SHORT_AFTER_SLOW
            } else {
                OPENS_AFTER_SLOW
            };
        findings.arrival(
            "slow: open after",
            format!("<= {:.1} s", limit.as_secs_f64()),
            shown,
            stretches.len(),
            slowest.map(|took| took <= limit),
        );
        findings.tell(
            "slow: calls that failed until then",
            failed,
            stretches.len(),
        );
    } else {
        let soon = slowest.map(|took| took <= OPENS_WITHIN || failed <= MOST_FAILED);
        findings.arrival(
            format!("{what}: open after"),
            "20 failed calls or 1 s",
            format!("{failed} calls, {shown}"),
            stretches.len(),
            soon,
        );
    }
}

/// While open nothing waits for the victim; probes do, and name the instance that they asked.
fn fast(findings: &mut Findings, stretches: &[&Stretch], short: bool) {
    let failed = |call: &Outcome| call.route == OWN_ROUTE && call.instance.is_none();
    let failed = stretches.iter().map(|one| one.open().only(failed));
    let failed = failed.reduce(Slice::and).unwrap_or_default();
    let inside = failed.quantiles_inside();
    // Of the hundred calls of the short terms the p99 is the second longest, and 5 ms are less than one turn of another program.
    let (rank, held) = if short {
        ("p90", inside.p90)
    } else {
        ("p99", inside.p99)
    };
    findings.timed_promise(
        format!("fast failure, {rank} in the gateway"),
        "<= 5 ms",
        format!("{held:.1} ms"),
        inside.count,
        held <= FAILS_WITHIN_MS,
    );
    findings.tell(
        "fast failure, p99 in the gateway and at the client",
        format!("{:.1} ms, {:.1} ms", inside.p99, failed.quantiles().p99),
        failed.count(),
    );
}

fn probed(findings: &mut Findings, stretches: &[&Stretch]) {
    let probes: f64 = stretches.iter().map(|one| one.probes).sum();
    let open = |one: &&Stretch| Some((one.end - one.opened?).as_secs_f64());
    let open: Vec<f64> = stretches.iter().filter_map(open).collect();
    let (count, open) = (open.len(), open.iter().sum::<f64>());
    let a_second = probes / open.max(1.0);
    findings.timed_promise(
        "probes a second while open",
        "<= 1",
        format!("{a_second:.2} ({probes:.0} in {open:.0} s)"),
        count,
        a_second <= PROBES_A_SECOND,
    );
}
