//! F2: one of three instances is frozen (SIGSTOP): it accepts connections and answers none.
//!
//! The instance is one of the busiest service, in the gateway's own zone.
//! Traffic is back when the instance gives half of the share that it gave before: its full share comes with the slow start.

use std::time::Duration;

use super::findings::Findings;
use super::ground::{Ground, RATE, SHORT_RATE, pass};
use super::terms::Terms;
use crate::error::Error;
use crate::load::{Journey, Report};

const VICTIM: &str = "inventory-a1";
/// Routes that it serves.
const ROUTES: [&str; 2] = ["browse", "stock"];

const ERRORS_WITHIN: Duration = Duration::from_secs(2);
const MOST_ERRORS: f64 = 0.001;
const BACK_WITHIN: Duration = Duration::from_secs(10);

/// Its share settles after the start within this.
const SETTLING: Duration = Duration::from_secs(12);
const SHORT_SETTLING: Duration = Duration::from_secs(5);
const SECOND: Duration = Duration::from_secs(1);

pub async fn run(terms: &Terms) -> Result<Findings, Error> {
    let rate = terms.rate(RATE, SHORT_RATE);
    let frozen = Duration::from_secs(terms.seconds(30, 6));
    let mut findings = Findings::of("freeze-instance");
    let ground = Ground::start("freeze-instance", terms).await?;
    let journey = Journey::shop(&ground.load_client()).await?;
    let id = ground.id(ground.instance(VICTIM)?).await?;

    let load = ground.load(rate, journey);
    pass(if terms.short {
        SHORT_SETTLING
    } else {
        SETTLING
    })
    .await;
    let begin = load.elapsed();
    ground.mark(&load, format!("{VICTIM} frozen"));
    ground.pause(VICTIM)?;
    pass(frozen).await;
    ground.mark(&load, format!("{VICTIM} thawed"));
    let thaw = load.elapsed();
    ground.resume(VICTIM)?;
    pass(BACK_WITHIN + 2 * SECOND).await;
    let report = load.end().await;

    let all = report.all();
    let during = all.during(begin.saturating_sub(SECOND)..thaw);
    let errors = during.errors();
    findings.promise(
        "errors while frozen",
        "<= 0.1 %",
        format!(
            "{} ({:.3} %)",
            errors.count(),
            100.0 * during.share(|one| one.error.is_some())
        ),
        during.count(),
        errors.count() as f64 <= MOST_ERRORS * during.count() as f64,
    );
    let late = all
        .during(begin + ERRORS_WITHIN..report_end(&report))
        .errors();
    findings.promise(
        "errors later than 2 s after the freeze",
        "0",
        late.count(),
        all.during(begin + ERRORS_WITHIN..report_end(&report))
            .count(),
        late.is_empty(),
    );
    let before = share(&report, &id, begin.saturating_sub(SECOND * 5)..begin);
    let back = back(&report, &id, thaw, before / 2.0);
    findings.arrival(
        "traffic back after the thaw",
        "<= 10 s",
        back.map_or("not seen".to_owned(), |time| {
            format!("{:.0} s", time.as_secs_f64())
        }),
        all.during(thaw..report_end(&report))
            .only(|one| ROUTES.contains(&one.route))
            .count(),
        // Not within the time that was watched is late, and a busy machine may be.
        Some(before > 0.0 && back.is_some_and(|time| time <= BACK_WITHIN)),
    );
    findings.tell(
        format!("share of {VICTIM} before, frozen, at the end"),
        format!(
            "{:.1} %, {:.1} %, {:.1} %",
            100.0 * before,
            100.0 * share(&report, &id, begin + ERRORS_WITHIN..thaw),
            100.0 * share(&report, &id, thaw + BACK_WITHIN..report_end(&report)),
        ),
        all.only(|one| ROUTES.contains(&one.route)).count(),
    );
    let slow = all.during(begin..begin + ERRORS_WITHIN).quantiles();
    findings.tell(
        "p99 of all requests: first 2 s, then until the thaw",
        format!(
            "{:.0} ms, {:.1} ms",
            slow.p99,
            all.during(begin + ERRORS_WITHIN..thaw).quantiles().p99
        ),
        during.count(),
    );
    findings.saw(report);
    ground.stop(&mut findings).await;
    Ok(findings)
}

/// The victim's part of its service's answers.
fn share(report: &Report, id: &str, time: std::ops::Range<Duration>) -> f64 {
    let asked = report
        .all()
        .during(time)
        .only(|one| ROUTES.contains(&one.route) && one.instance.is_some());
    asked.share(|one| one.instance.as_deref() == Some(id))
}

/// From the thaw to the end of the first second in which it gave at least this share.
fn back(report: &Report, id: &str, thaw: Duration, least: f64) -> Option<Duration> {
    (0..60)
        .map(|second| SECOND * second)
        .take_while(|from| thaw + *from < report_end(report))
        .find(|from| share(report, id, thaw + *from..thaw + *from + SECOND) >= least)
        .map(|from| from + SECOND)
}

fn report_end(report: &Report) -> Duration {
    let last = report.outcomes.iter().map(|one| one.at).max();
    last.unwrap_or_default() + Duration::from_nanos(1)
}
