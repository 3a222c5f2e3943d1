//! How soon a gateway that was overloaded answers everything again.

use std::time::Duration;

use super::super::findings::Findings;
use super::super::terms::Terms;
use super::{RECOVERED_WITHIN, SECOND, good};
use crate::load::Slice;

/// From the end of the overload, which is the beginning of this load.
pub fn recovered(findings: &mut Findings, terms: &Terms, after: &Slice<'_>) {
    let refused = after.only(|one| !good(one));
    let last = refused.iter().map(|one| one.at).max();
    let time = if terms.short {
        first_good_second(after)
    } else {
        last
    };
    let end = after.iter().map(|one| one.at).max();
    // Refusals to the end, or to a second before it, are no recovery.
    let never = time.is_some_and(|at| at + SECOND > end.unwrap_or_default());
    let late = after.only(|one| one.at > RECOVERED_WITHIN);
    findings.arrival(
        "recovered after the overload",
        "<= 5 s",
        format!(
            "{:.1} s ({} refused, {} of them later than 5 s)",
            time.unwrap_or_default().as_secs_f64(),
            refused.count(),
            late.only(|one| !good(one)).count()
        ),
        late.count(),
        (!never).then_some(time.is_none_or(|at| at <= RECOVERED_WITHIN)),
    );
}

/// When it has answered everything for a second: later, a stall of the machine can fill half of the places at once.
fn first_good_second(after: &Slice<'_>) -> Option<Duration> {
    let refused = after.iter().filter(|one| !good(one));
    let mut refused: Vec<Duration> = refused.map(|one| one.at).collect();
    refused.sort_unstable();
    let mut from = None;
    for at in refused {
        if at > from.unwrap_or_default() + SECOND {
            break;
        }
        from = Some(at);
    }
    from
}

#[cfg(test)]
mod tests {
    use super::super::TAKES;
    use super::*;
    use crate::load::Outcome;

    /// Ten requests a second for eight seconds; those within these tenths are refused.
    fn after(refused: impl Fn(u32) -> bool) -> Vec<Outcome> {
        let one = |number| Outcome {
            number,
            route: "user",
            idempotent: true,
            at: Duration::from_millis(100) * number,
            took: TAKES,
            status: Some(if refused(number) { 503 } else { 200 }),
            error: None,
            instance: None,
            attempts: 1,
            fallback: None,
            inside: None,
        };
        (0..80).map(one).collect()
    }

    fn found(terms: &Terms, after: &[Outcome]) -> Findings {
        let mut findings = Findings::of("overload");
        recovered(&mut findings, terms, &Slice::of(after));
        findings
    }

    fn held(terms: &Terms, after: &[Outcome]) -> bool {
        found(terms, after).held()
    }

    #[test]
    fn a_recovery_that_takes_longer_than_promised_is_seen_on_any_terms() {
        for terms in [Terms::short(), Terms::full()] {
            assert!(held(&terms, &after(|_| false)));
            assert!(held(&terms, &after(|tenth| tenth < 40)));
            assert!(!held(&terms, &after(|tenth| tenth < 55)));
            assert!(!held(&terms, &after(|tenth| tenth.is_multiple_of(4))));
        }
    }

    #[test]
    fn a_late_recovery_may_be_noise_and_none_is_not() {
        let timed = |refused: fn(u32) -> bool| {
            let findings = found(&Terms::short(), &after(refused));
            findings.broken().next().map(|one| one.timed)
        };
        assert_eq!(timed(|tenth| tenth < 55), Some(true));
        assert_eq!(timed(|tenth| tenth.is_multiple_of(4)), Some(false));
        assert_eq!(timed(|_| true), Some(false));
    }

    #[test]
    fn a_stall_after_the_recovery_is_excused_by_the_short_terms_alone() {
        let stalled = after(|tenth| tenth < 10 || tenth == 70);
        assert!(held(&Terms::short(), &stalled));
        assert!(!held(&Terms::full(), &stalled));
    }
}
