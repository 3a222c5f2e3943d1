//! Prometheus' configuration and rules agree with the code and with observability/README.md: names, labels, sections, tests.
//!
//! Whether a rule computes what it should is shown by `promtool test rules observability/prometheus/tests/*.yml`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use tidy::catalogue;

use super::{promql, sources};

/// What every target carries beside its metrics' own labels.
const TARGET_LABELS: &[&str] = &["job", "instance", "service", "zone", "version"];

/// Where a runbook is: in the catalogue itself.
const RUNBOOK: &str = "observability/README.md#";

/// One entry of a file of rules.
#[derive(Debug)]
struct Rule {
    name: String,
    is_alert: bool,
    /// `expr`, `for`, `labels`, `annotations`: what stands behind and below each.
    fields: BTreeMap<String, String>,
}

impl Rule {
    fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    /// The value of a key below `annotations` or `labels`.
    fn below(&self, field: &str, key: &str) -> Option<&str> {
        let lines = self.field(field).lines();
        let mut values = lines.filter_map(|line| line.trim().strip_prefix(key)?.strip_prefix(": "));
        values.next()
    }
}

fn folder(name: &str) -> Vec<PathBuf> {
    let folder = sources::root().join("observability/prometheus").join(name);
    let entries = std::fs::read_dir(&folder).expect("the folder is there");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yml"))
        .collect();
    files.sort();
    files
}

fn read(path: &PathBuf) -> String {
    std::fs::read_to_string(path).expect("a file of rules is UTF-8")
}

/// The rules of one file. They are written in one way: a dash, the name, then a key on each line.
fn parse(text: &str) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    let (mut keys_at, mut key) = (usize::MAX, String::new());
    for line in text.lines() {
        let body = line.trim_start();
        let indent = line.len() - body.len();
        if body.is_empty() || body.starts_with('#') {
            continue;
        }
        let begins = [("- alert: ", true), ("- record: ", false)]
            .into_iter()
            .find_map(|(dash, is_alert)| Some((body.strip_prefix(dash)?, is_alert)));
        if let Some((name, is_alert)) = begins {
            rules.push(Rule {
                name: name.to_owned(),
                is_alert,
                fields: BTreeMap::new(),
            });
            (keys_at, key) = (indent + 2, String::new());
        } else if indent < keys_at {
            keys_at = usize::MAX;
        } else if let Some(rule) = rules.last_mut() {
            let text = match body.split_once(':').filter(|_| indent == keys_at) {
                Some((name, value)) => {
                    name.clone_into(&mut key);
                    value
                }
                None => line,
            };
            let field = rule.fields.entry(key.clone()).or_default();
            field.push_str(text.trim_start_matches(" |"));
            field.push('\n');
        }
    }
    rules
}

fn rules() -> Vec<Rule> {
    let files = folder("rules");
    let rules: Vec<Rule> = files.iter().flat_map(|file| parse(&read(file))).collect();
    assert!(rules.len() > 20, "the rules were not found: {rules:?}");
    rules
}

/// The labels of a metric, with those that its suffix brings; none if it is not in the catalogue.
pub fn labels_of(
    metric: &str,
    catalogue: &BTreeMap<String, BTreeSet<String>>,
) -> Option<BTreeSet<String>> {
    let suffix = catalogue::SUFFIXES
        .iter()
        .find(|suffix| metric.ends_with(**suffix));
    let base = suffix.map_or(metric, |suffix| &metric[..metric.len() - suffix.len()]);
    let mut labels = catalogue
        .get(metric)
        .or_else(|| catalogue.get(base))?
        .clone();
    labels.extend(TARGET_LABELS.iter().map(|label| (*label).to_owned()));
    if suffix == Some(&"_bucket") {
        labels.insert("le".to_owned());
    }
    Some(labels)
}

#[test]
fn every_metric_and_label_of_the_rules_is_in_the_catalogue() {
    let catalogue = catalogue::metrics();
    let mut wrong = Vec::new();
    for rule in rules() {
        let names = promql::names(rule.field("expr"));
        let mut known: BTreeSet<String> = names.strings.iter().cloned().collect();
        for selector in &names.selectors {
            let Some(labels) = labels_of(&selector.metric, &catalogue) else {
                wrong.push(format!("{}: the metric {}", rule.name, selector.metric));
                continue;
            };
            let strange = selector.labels.iter().filter(|one| !labels.contains(*one));
            wrong.extend(strange.map(|one| format!("{}: {}{{{one}}}", rule.name, selector.metric)));
            known.extend(labels);
        }
        let mut used = names.grouped;
        for (_, after) in rule
            .field("annotations")
            .match_indices("$labels.")
            .map(|(at, found)| (at, &rule.field("annotations")[at + found.len()..]))
        {
            let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            used.push(after[..end.unwrap_or(after.len())].to_owned());
        }
        let strange = used.iter().filter(|label| !known.contains(*label));
        wrong.extend(strange.map(|label| format!("{}: the label {label}", rule.name)));
    }
    assert!(
        wrong.is_empty(),
        "in observability/prometheus/rules, but not in observability/README.md:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_recorded_metric_is_in_the_catalogue_and_the_other_way_round() {
    let rules = rules();
    let recorded: BTreeSet<&str> = rules
        .iter()
        .filter(|rule| !rule.is_alert)
        .map(|rule| &*rule.name)
        .collect();
    let catalogue = catalogue::metrics();
    let named: BTreeSet<&str> = catalogue
        .keys()
        .map(String::as_str)
        .filter(|name| name.contains(':'))
        .collect();
    assert_eq!(recorded, named);
}

/// As a heading is linked to: lower case, blanks as dashes.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let words = line.trim_start_matches('#').trim().to_lowercase();
            let kept = words
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.collect::<String>().replace(' ', "-")
        })
        .collect()
}

#[test]
fn every_alert_says_what_is_wrong_and_where_to_read_on() {
    let text = catalogue::text();
    let anchors = anchors(&text);
    let mut wrong = Vec::new();
    for rule in rules().iter().filter(|rule| rule.is_alert) {
        for key in ["summary", "description", "runbook_url"] {
            if rule.below("annotations", key).is_none() {
                wrong.push(format!("{} has no {key}", rule.name));
            }
        }
        let severity = rule.below("labels", "severity").unwrap_or_default();
        if !["page", "ticket"].contains(&severity) {
            wrong.push(format!("{} has the severity {severity:?}", rule.name));
        }
        let runbook = rule.below("annotations", "runbook_url").unwrap_or_default();
        let section = runbook.strip_prefix(RUNBOOK).unwrap_or_default();
        if section != rule.name.to_lowercase() || !anchors.contains(section) {
            wrong.push(format!("{}: there is no section {runbook:?}", rule.name));
        }
        if !text.contains(&format!("| `{}` | {severity} |", rule.name)) {
            wrong.push(format!(
                "{} is not in the table of alerts as {severity}",
                rule.name
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_alert_of_the_catalogue_is_a_rule() {
    let text = catalogue::text();
    let table = text
        .split("\n\n")
        .find(|part| part.starts_with("| alert | severity |"))
        .expect("the catalogue has a table of alerts");
    let rules = rules();
    let rows = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let gone: Vec<&str> = rows
        .filter(|name| !rules.iter().any(|rule| rule.is_alert && rule.name == *name))
        .collect();
    assert!(gone.is_empty(), "in the catalogue, but no rule: {gone:?}");
}

#[test]
fn every_alert_is_shown_to_fire_and_to_be_silent() {
    let tests: String = folder("tests").iter().map(read).collect();
    let mut wrong = Vec::new();
    for rule in rules().iter().filter(|rule| rule.is_alert) {
        let (mut fires, mut silent) = (false, false);
        for after in tests.split(&format!("alertname: {}", rule.name)).skip(1) {
            let expected = after.trim_start_matches([',', ' ', '\n']);
            silent |= expected.starts_with("exp_alerts: []");
            fires |= expected.starts_with("exp_alerts:\n");
        }
        if !fires || !silent {
            wrong.push(format!("{}: fires {fires}, silent {silent}", rule.name));
        }
    }
    assert!(
        wrong.is_empty(),
        "not shown in observability/prometheus/tests:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn the_configuration_reads_what_registrations_write_and_keeps_its_literals() {
    let root = sources::root();
    let text = read(&root.join("observability/prometheus/prometheus.yml"));
    for literal in [
        "consul:8500",
        "jaeger:8889",
        "localhost:9090",
        "rules/*.yml",
    ] {
        assert!(
            text.contains(&format!("\"{literal}\"")),
            "a native run replaces \"{literal}\""
        );
    }
    let written = std::fs::read_to_string(root.join("shared/consul/src/meta.rs"));
    let written = written.expect("what registrations write is in shared/consul/src/meta.rs");
    let read: BTreeSet<&str> = text
        .split("__meta_consul_service_metadata_")
        .skip(1)
        .filter_map(|after| after.split([',', ']']).next())
        .collect();
    assert!(read.len() >= 4, "{read:?}");
    for key in read {
        assert!(
            written.contains(&format!("\"{key}\"")),
            "no registration writes {key}"
        );
    }
}
