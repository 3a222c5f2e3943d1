//! Short terms on a shared machine: a run that broke only times or rates is made again.
//!
//! Noise breaks one run and not the next; a promise that is really broken breaks each of them.
//! A count (errors, duplicates, orders lost) is never excused: noise does not make those.
//! Nor is what never came (a breaker that did not open, a recovery that was not seen), or a time that was measured on nothing.
//! The full terms are what a promise is claimed by, so there one run decides.

use std::future::Future;

use super::findings::Findings;
use super::terms::Terms;
use crate::error::Error;

/// A machine that is too busy for three runs is too busy to measure anything.
const MOST_RUNS: usize = 3;

/// Runs a drill, or a part of one that stands alone; the findings of the last run, which tell of those before it.
pub async fn while_late<F>(terms: &Terms, mut run: impl FnMut() -> F) -> Result<Findings, Error>
where
    F: Future<Output = Result<Findings, Error>>,
{
    let mut late = Vec::new();
    loop {
        let mut findings = run().await?;
        let last = late.len() + 1 == MOST_RUNS;
        if !terms.short || last || !only_late(&findings) {
            late.iter().for_each(|before| tell(&mut findings, before));
            return Ok(findings);
        }
        terms.reporter.say("late: once more");
        late.push(findings);
    }
}

fn only_late(findings: &Findings) -> bool {
    !findings.held() && findings.broken().all(|one| one.timed)
}

/// Nothing is excused silently.
fn tell(findings: &mut Findings, before: &Findings) {
    for one in before.broken() {
        findings.tell(
            format!("in a run before this: {}", one.what),
            format!("{} ({})", one.measured, one.promise),
            one.n,
        );
    }
    findings.seen.extend(before.seen.iter().cloned());
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// Runs whose time (or count) is held from this run on; how many were made, and the last.
    async fn run(terms: &Terms, timed: bool, held_from: usize) -> (usize, Findings) {
        let mut runs = 0;
        let findings = while_late(terms, || {
            runs += 1;
            let mut findings = Findings::of("drill");
            let held = runs >= held_from;
            if timed {
                findings.timed_promise("p99", "<= 1 ms", "it", 1, held);
            } else {
                findings.promise("errors", "0", "it", 1, held);
            }
            async move { Ok(findings) }
        });
        let findings = findings.await.unwrap();
        (runs, findings)
    }

    #[tokio::test]
    async fn a_time_that_is_held_in_a_later_run_was_noise_and_is_told() {
        let (runs, findings) = run(&Terms::short(), true, 2).await;
        assert!(runs == 2 && findings.held(), "{findings}");
        assert!(findings.to_string().contains("in a run before this: p99"));
    }

    #[tokio::test]
    async fn a_time_that_is_never_held_is_broken() {
        let (runs, findings) = run(&Terms::short(), true, 9).await;
        assert!(runs == MOST_RUNS && !findings.held(), "{findings}");
    }

    #[tokio::test]
    async fn a_count_is_never_excused_and_the_full_terms_excuse_nothing() {
        let (runs, findings) = run(&Terms::short(), false, 2).await;
        assert!(runs == 1 && !findings.held(), "{findings}");
        let (runs, findings) = run(&Terms::full(), true, 2).await;
        assert!(runs == 1 && !findings.held(), "{findings}");
    }

    #[tokio::test]
    async fn what_never_came_is_not_tried_again() {
        let terms = Terms::short();
        for (n, in_time) in [(5, None), (0, Some(true))] {
            let mut runs = 0;
            let findings = while_late(&terms, || {
                runs += 1;
                let mut findings = Findings::of("drill");
                findings.arrival("recovered", "<= 10 s", "it", n, in_time);
                async move { Ok(findings) }
            });
            let findings = findings.await.unwrap();
            assert!(runs == 1 && !findings.held(), "{findings}");
        }
    }
}
