//! What a drill found: promise, measure, N, in one table, with everything that was seen where a promise broke.

use std::fmt;

use serde::Serialize;

/// The result of one drill.
#[derive(Clone, Debug, Serialize)]
pub struct Findings {
    pub drill: &'static str,
    pub findings: Vec<Finding>,
    /// What a reader needs when something broke: reports, states, logs.
    pub seen: Vec<String>,
}

/// One line of the table.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    pub what: String,
    /// Empty where nothing was promised.
    pub promise: String,
    pub measured: String,
    /// How many requests, rounds or calls that was measured on.
    pub n: usize,
    pub verdict: Verdict,
    /// A time or a rate that was measured, not a count.
    pub timed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Held,
    Broken,
    /// Nothing was promised: it is there to be read.
    Told,
}

impl Findings {
    pub fn of(drill: &'static str) -> Self {
        Self {
            drill,
            findings: Vec::new(),
            seen: Vec::new(),
        }
    }

    /// What was promised, and whether `n` cases held it. Nothing is proven by no case.
    pub fn promise(
        &mut self,
        what: impl Into<String>,
        promise: impl Into<String>,
        measured: impl fmt::Display,
        n: usize,
        held: bool,
    ) {
        self.findings.push(Finding {
            what: what.into(),
            promise: promise.into(),
            measured: measured.to_string(),
            n,
            verdict: if held && n > 0 {
                Verdict::Held
            } else {
                Verdict::Broken
            },
            timed: false,
        });
    }

    /// The same for a time or a rate: another program on the machine can break it in a short run, and never holds it.
    /// Where there was nothing to measure no other program is to blame.
    pub fn timed_promise(
        &mut self,
        what: impl Into<String>,
        promise: impl Into<String>,
        measured: impl fmt::Display,
        n: usize,
        held: bool,
    ) {
        self.promise(what, promise, measured, n, held);
        if let Some(last) = self.findings.last_mut() {
            last.timed = n > 0;
        }
    }

    /// What must come, and in time: to be late may be another program's doing, not to come at all (`None`) never is.
    pub fn arrival(
        &mut self,
        what: impl Into<String>,
        promise: impl Into<String>,
        measured: impl fmt::Display,
        n: usize,
        in_time: Option<bool>,
    ) {
        match in_time {
            Some(held) => self.timed_promise(what, promise, measured, n, held),
            None => self.promise(what, promise, measured, n, false),
        }
    }

    pub fn tell(&mut self, what: impl Into<String>, measured: impl fmt::Display, n: usize) {
        self.findings.push(Finding {
            what: what.into(),
            promise: String::new(),
            measured: measured.to_string(),
            n,
            verdict: Verdict::Told,
            timed: false,
        });
    }

    pub fn saw(&mut self, what: impl fmt::Display) {
        self.seen.push(what.to_string());
    }

    pub fn held(&self) -> bool {
        !self.findings.is_empty() && self.broken().next().is_none()
    }

    pub fn broken(&self) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(|finding| finding.verdict == Verdict::Broken)
    }

    /// Takes over what a part of the drill found.
    pub fn join(&mut self, part: Self) {
        self.findings.extend(part.findings);
        self.seen.extend(part.seen);
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |of: fn(&Finding) -> &str, least: usize| {
            let longest = self.findings.iter().map(|one| of(one).chars().count());
            longest.max().unwrap_or(0).max(least) + 2
        };
        let what = width(|one| &one.what, self.drill.len());
        let promise = width(|one| &one.promise, "promised".len());
        let measured = width(|one| &one.measured, "measured".len());
        writeln!(
            out,
            "{:what$}{:promise$}{:measured$}{:>9}",
            self.drill, "promised", "measured", "N"
        )?;
        for one in &self.findings {
            let verdict = match one.verdict {
                Verdict::Held => "  held",
                Verdict::Broken => "  BROKEN",
                Verdict::Told => "",
            };
            writeln!(
                out,
                "{:what$}{:promise$}{:measured$}{:>9}{verdict}",
                one.what, one.promise, one.measured, one.n
            )?;
        }
        if !self.held() {
            self.seen
                .iter()
                .try_for_each(|seen| writeln!(out, "\n{seen}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_that_was_tried_on_nothing_is_broken() {
        let mut findings = Findings::of("drill");
        assert!(!findings.held(), "no finding at all");
        findings.promise("errors", "0", 0, 10, true);
        assert!(findings.held());
        findings.promise("duplicates", "0", 0, 0, true);
        assert!(!findings.held());
    }

    #[test]
    fn only_what_was_measured_can_be_late() {
        let timed = |n, in_time| {
            let mut findings = Findings::of("drill");
            findings.arrival("recovered", "<= 10 s", "it", n, in_time);
            findings.broken().next().map(|one| one.timed)
        };
        assert_eq!(timed(5, Some(true)), None);
        assert_eq!(timed(5, Some(false)), Some(true), "late");
        assert_eq!(timed(5, None), Some(false), "never");
        assert_eq!(timed(0, Some(true)), Some(false), "tried on nothing");
    }

    #[test]
    fn what_was_seen_is_shown_only_where_a_promise_broke() {
        let mut findings = Findings::of("drill");
        findings.tell("p50", "1 ms", 5);
        findings.saw("the whole report");
        assert!(!findings.to_string().contains("whole report"));
        findings.promise("errors", "0", 3, 10, false);
        let text = findings.to_string();
        assert!(text.contains("BROKEN") && text.contains("the whole report"));
    }
}
