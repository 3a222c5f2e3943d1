//! What a load showed: counts, errors, quantiles by route, and which zone served in which second.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::Serialize;

use super::Plan;
use super::outcome::{Outcome, Slice};
use super::tally::{Example, Tally};

/// Seconds whose zone shares differ by less are shown as one line.
const SAME_SHARE: f64 = 0.05;

/// The result of one load.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub rate: f64,
    pub seconds: f64,
    pub requests: u64,
    pub errors: u64,
    /// Count by kind, and the first examples of each.
    pub kinds: BTreeMap<String, (u64, Vec<Example>)>,
    /// By route; `all` is every request.
    pub latency: BTreeMap<String, Quantiles>,
    pub windows: Vec<Window>,
    pub marks: Vec<(u64, String)>,
    /// Of each request, when the load was told to remember.
    #[serde(skip)]
    pub outcomes: Vec<Outcome>,
}

/// Milliseconds from the intended start to the last byte.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Quantiles {
    pub count: usize,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

/// One second of the load.
#[derive(Clone, Debug, Serialize)]
pub struct Window {
    pub second: u64,
    pub requests: u64,
    pub errors: u64,
    /// Answers by the zone of the instance that gave them.
    pub zones: BTreeMap<String, u64>,
}

impl Report {
    pub fn new(plan: Plan, tally: Tally) -> Self {
        let (requests, errors) = tally.totals();
        let all: Vec<u32> = tally.latencies.values().flatten().copied().collect();
        let mut latency: BTreeMap<String, Quantiles> = tally
            .latencies
            .into_iter()
            .map(|(route, values)| (route.to_owned(), Quantiles::of(values)))
            .collect();
        latency.insert("all".to_owned(), Quantiles::of(all));
        let windows = tally.seconds.into_iter().map(|(second, counts)| Window {
            second,
            requests: counts.requests,
            errors: counts.errors,
            zones: counts.zones,
        });
        Self {
            rate: plan.rate,
            seconds: plan.duration.as_secs_f64(),
            requests,
            errors,
            kinds: tally
                .errors
                .into_iter()
                .map(|(kind, found)| (kind.to_string(), found))
                .collect(),
            latency,
            windows: windows.collect(),
            marks: tally.marks,
            outcomes: tally.outcomes,
        }
    }

    /// All requests of a load that remembers.
    pub fn all(&self) -> Slice<'_> {
        Slice::of(&self.outcomes)
    }

    /// The share of answers that `zone` gave in these seconds, 0 to 1; answers that name no zone do not count.
    pub fn share(&self, zone: &str, seconds: Range<u64>) -> f64 {
        let windows = self
            .windows
            .iter()
            .filter(|window| seconds.contains(&window.second));
        let (mut of_zone, mut of_all) = (0, 0);
        for window in windows {
            of_zone += window.zones.get(zone).copied().unwrap_or(0);
            of_all += window.zones.values().sum::<u64>();
        }
        if of_all == 0 {
            0.0
        } else {
            of_zone as f64 / of_all as f64
        }
    }

    /// Errors among the requests of these seconds.
    pub fn errors_in(&self, seconds: Range<u64>) -> u64 {
        self.windows
            .iter()
            .filter(|window| seconds.contains(&window.second))
            .map(|window| window.errors)
            .sum()
    }

    fn zones(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = &self.windows[..];
        while let Some(first) = rest.first() {
            let same = rest
                .iter()
                .take_while(|window| {
                    alike(first, window) && !self.marked(window.second, first.second)
                })
                .count()
                .max(1);
            for (_, mark) in self
                .marks
                .iter()
                .filter(|(second, _)| *second == first.second)
            {
                writeln!(out, "            -- {mark}")?;
            }
            let (run, after) = rest.split_at(same);
            writeln!(out, "{}", stretch(run))?;
            rest = after;
        }
        Ok(())
    }

    fn marked(&self, second: u64, begin: u64) -> bool {
        second != begin && self.marks.iter().any(|(marked, _)| *marked == second)
    }
}

impl Quantiles {
    pub(super) fn of(mut micros: Vec<u32>) -> Self {
        micros.sort_unstable();
        let at = |part: f64| {
            let rank = (part * micros.len() as f64).ceil() as usize;
            micros
                .get(rank.saturating_sub(1))
                .map_or(0.0, |value| f64::from(*value) / 1e3)
        };
        Self {
            count: micros.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: at(1.0),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "{} requests at {}/s, {} errors",
            self.requests, self.rate, self.errors
        )?;
        for (kind, (count, examples)) in &self.kinds {
            writeln!(out, "  {kind}: {count}")?;
            for example in examples {
                let by = example
                    .instance
                    .as_deref()
                    .map(|name| format!(" by {name}"))
                    .unwrap_or_default();
                let trace = example
                    .trace
                    .as_deref()
                    .map(|id| format!(" (trace {id})"))
                    .unwrap_or_default();
                writeln!(
                    out,
                    "    second {}: {}{by} -> {}{trace}",
                    example.second, example.path, example.what
                )?;
            }
        }
        writeln!(
            out,
            "\n{:<18}{:>8}{:>9}{:>9}{:>9}{:>9}{:>9}  (ms, from the intended start)",
            "route", "count", "p50", "p90", "p99", "p99.9", "max"
        )?;
        for (route, q) in &self.latency {
            writeln!(
                out,
                "{route:<18}{:>8}{:>9.1}{:>9.1}{:>9.1}{:>9.1}{:>9.1}",
                q.count, q.p50, q.p90, q.p99, q.p999, q.max
            )?;
        }
        writeln!(out, "\nseconds     served by zone")?;
        self.zones(out)
    }
}

fn shares(window: &Window) -> BTreeMap<&str, f64> {
    let sum = window.zones.values().sum::<u64>().max(1) as f64;
    window
        .zones
        .iter()
        .map(|(zone, count)| (zone.as_str(), *count as f64 / sum))
        .collect()
}

fn alike(one: &Window, other: &Window) -> bool {
    let (one_shares, other_shares) = (shares(one), shares(other));
    let names = one_shares.keys().chain(other_shares.keys());
    let of = |shares: &BTreeMap<&str, f64>, name: &str| shares.get(name).copied().unwrap_or(0.0);
    let near = |name: &&str| (of(&one_shares, name) - of(&other_shares, name)).abs() < SAME_SHARE;
    (one.errors == 0) == (other.errors == 0) && names.into_iter().all(near)
}

fn stretch(run: &[Window]) -> String {
    let mut zones = BTreeMap::<&str, u64>::new();
    for (zone, count) in run.iter().flat_map(|window| &window.zones) {
        *zones.entry(zone).or_default() += count;
    }
    let sum = zones.values().sum::<u64>().max(1) as f64;
    let shares: Vec<String> = zones
        .iter()
        .map(|(zone, count)| format!("{zone} {:.1} %", 100.0 * *count as f64 / sum))
        .collect();
    let errors: u64 = run.iter().map(|window| window.errors).sum();
    let shown = if errors == 0 {
        String::new()
    } else {
        format!("   {errors} errors")
    };
    let (first, last) = (run[0].second, run[run.len() - 1].second);
    let (span, shares) = (format!("{first}-{last}"), shares.join("  "));
    format!(
        "{span:<12}{}{shown}",
        if shares.is_empty() {
            "no answer named a zone"
        } else {
            &shares
        }
    )
}
