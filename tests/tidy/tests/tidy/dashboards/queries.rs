//! What dashboards ask of Prometheus: only what exists, over windows that follow the zoom, named by labels that are left.

use std::collections::BTreeSet;

use tidy::catalogue;

use super::{Query, all, between, nothing, text};
use crate::{promql, rules};

/// Windows that Grafana works out: a few scrapes at this zoom, or the whole time shown.
const WINDOWS: &[&str] = &["$__rate_interval", "$__range"];

/// What has exemplars; our own metrics have none.
const WITH_EXEMPLARS: &str = "traces_span_metrics_duration_seconds_bucket";

fn queries() -> Vec<Query> {
    let queries: Vec<Query> = all().iter().flat_map(|one| one.queries()).collect();
    assert!(queries.len() > 100, "the queries were not found");
    queries
}

/// Every label that the metrics of an expression have, and those that it makes.
fn labels(expression: &str) -> BTreeSet<String> {
    let catalogue = catalogue::metrics();
    let names = promql::names(expression);
    let metrics = names.selectors.iter().map(|one| &*one.metric);
    let labels = metrics.filter_map(|metric| rules::labels_of(metric, &catalogue));
    labels.flatten().chain(names.strings).collect()
}

/// The labels that are left on a series: those that every `by` keeps, or all where nothing is summed up.
fn kept(expression: &str) -> BTreeSet<String> {
    let set = |inside: &str| {
        inside
            .split(',')
            .map(|label| label.trim().to_owned())
            .collect()
    };
    let clauses = between(expression, " by (", ")").map(set);
    let kept =
        clauses.reduce(|one: BTreeSet<String>, other| one.intersection(&other).cloned().collect());
    kept.unwrap_or_else(|| {
        let sums = ["sum(", "max(", "min(", "count(", "avg("];
        let summed = sums.iter().any(|word| expression.contains(word));
        if summed {
            BTreeSet::new()
        } else {
            labels(expression)
        }
    })
}

#[test]
fn every_metric_and_label_exists() {
    let catalogue = catalogue::metrics();
    let mut wrong = Vec::new();
    for query in queries() {
        let names = promql::names(&query.expression);
        for selector in &names.selectors {
            let metric = &selector.metric;
            let Some(labels) = rules::labels_of(metric, &catalogue) else {
                wrong.push(format!("{}: the metric {metric}", query.place));
                continue;
            };
            let strange = selector.labels.iter().filter(|one| !labels.contains(*one));
            wrong.extend(strange.map(|one| format!("{}: {metric}{{{one}}}", query.place)));
        }
        let known = labels(&query.expression);
        let strange = names.grouped.iter().filter(|one| !known.contains(*one));
        wrong.extend(strange.map(|one| format!("{}: the label {one}", query.place)));
    }
    nothing(wrong, "in a dashboard, but not in observability/README.md");
}

#[test]
fn series_are_named_by_labels_that_the_query_keeps() {
    let mut wrong = Vec::new();
    for query in queries() {
        let kept = kept(&query.expression);
        let lost = between(&query.legend, "{{", "}}").filter(|label| !kept.contains(label.trim()));
        wrong.extend(lost.map(|label| format!("{}: {{{{{label}}}}}", query.place)));
    }
    nothing(wrong, "a legend names a label that the query sums away");
}

#[test]
fn windows_follow_the_zoom() {
    let mut wrong = Vec::new();
    for query in queries() {
        let windows = between(&query.expression, "[", "]");
        let fixed = windows.filter(|window| !WINDOWS.contains(window));
        wrong.extend(fixed.map(|window| format!("{}: [{window}]", query.place)));
    }
    nothing(wrong, "a window is $__rate_interval or $__range");
}

#[test]
fn latency_over_time_carries_exemplars() {
    let mut wrong = Vec::new();
    for dashboard in all() {
        let queries = dashboard.queries();
        for panel in dashboard
            .panels()
            .filter(|panel| text(panel, "type") == "timeseries")
        {
            let place = format!("{}: {}", dashboard.file, text(panel, "title"));
            let mine = || queries.iter().filter(|query| query.place == place);
            let latency = mine().any(|query| query.expression.contains("histogram_quantile"));
            if latency && !mine().any(|query| query.exemplars) {
                wrong.push(format!("{place}: no exemplars"));
            }
        }
        let empty = queries
            .iter()
            .filter(|query| query.exemplars && !query.expression.contains(WITH_EXEMPLARS));
        wrong.extend(empty.map(|query| format!("{}: {WITH_EXEMPLARS} has them", query.place)));
    }
    nothing(wrong, "exemplars lead from a latency to a trace");
}

#[test]
fn every_variable_is_defined_and_asks_for_what_exists() {
    let catalogue = catalogue::metrics();
    let mut wrong = Vec::new();
    for dashboard in all() {
        let variables = dashboard.variables();
        let mut known: BTreeSet<&str> = variables.iter().map(|one| text(one, "name")).collect();
        known.extend(WINDOWS.iter().map(|window| &window[1..]));
        let asked = variables
            .iter()
            .map(|one| (text(one, "name"), text(&one["query"], "query")));
        for (name, query) in asked.filter(|(_, query)| !query.is_empty()) {
            let inside = query
                .strip_prefix("label_values(")
                .and_then(|rest| rest.strip_suffix(')'));
            let (selector, label) = inside
                .and_then(|inside| inside.rsplit_once(", "))
                .unwrap_or_default();
            let metric = selector.split('{').next().unwrap_or_default();
            let labels = rules::labels_of(metric, &catalogue).unwrap_or_default();
            if !labels.contains(label) {
                wrong.push(format!("{}: ${name}: {query}", dashboard.file));
            }
        }
        for query in dashboard.queries() {
            for after in query.expression.split('$').skip(1) {
                let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                let name = &after[..end.unwrap_or(after.len())];
                if !known.contains(name) {
                    wrong.push(format!("{}: ${name}", query.place));
                }
            }
        }
    }
    nothing(wrong, "variables");
}
