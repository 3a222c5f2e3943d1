//! Every metric that the code names is in observability/README.md, and the other way round.

use std::collections::BTreeSet;

use tidy::catalogue::{SUFFIXES, text};

use super::sources;

/// Ours, and the families of the semantic conventions.
const PREFIXES: &[&str] = &["lictor_", "http_server_", "http_client_", "db_client_"];

fn is_metric(word: &str) -> bool {
    let shaped = word
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    shaped && !word.ends_with('_') && PREFIXES.iter().any(|prefix| word.starts_with(prefix))
}

/// String literals that are a metric's name, in the code that runs.
fn named_in_code() -> BTreeSet<String> {
    let sources = sources::all();
    let running = sources
        .iter()
        .filter(|source| source.is_production() && !source.path.starts_with("tests"));
    running
        .flat_map(|source| source.literals())
        .filter(|word| is_metric(word))
        .map(str::to_owned)
        .collect()
}

/// The first column of the tables: names in backticks at the beginning of a row.
fn named_in_catalogue() -> BTreeSet<String> {
    let text = text();
    let rows = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    rows.filter(|name| is_metric(name))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_metric_of_the_code_is_in_the_catalogue() {
    let missing: Vec<String> = named_in_code()
        .difference(&named_in_catalogue())
        .cloned()
        .collect();
    assert!(
        missing.is_empty(),
        "not in observability/README.md:\n{}",
        missing.join("\n")
    );
}

#[test]
fn every_metric_of_the_catalogue_is_in_the_code() {
    let gone: Vec<String> = named_in_catalogue()
        .difference(&named_in_code())
        .cloned()
        .collect();
    assert!(
        gone.is_empty(),
        "in observability/README.md but nowhere in the code:\n{}",
        gone.join("\n")
    );
}

#[test]
fn counters_say_that_they_are_totals_and_times_say_their_unit() {
    for name in named_in_code() {
        assert!(
            !SUFFIXES.iter().any(|suffix| name.ends_with(suffix)),
            "{name}: the exposition adds that suffix itself"
        );
        assert!(
            !name.contains("_ms") && !name.contains("milli"),
            "{name}: times are in seconds"
        );
    }
}
