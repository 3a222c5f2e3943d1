//! The catalogue of what can be seen, as its readers need it: names and labels.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Suffixes that the exposition format adds to a histogram's name.
pub const SUFFIXES: &[&str] = &["_bucket", "_sum", "_count"];

/// The whole page.
pub fn text() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../observability/README.md");
    std::fs::read_to_string(path).expect("observability/README.md is the catalogue")
}

/// The tables of metrics, ours, recorded and those of others: name and labels.
pub fn metrics() -> BTreeMap<String, BTreeSet<String>> {
    let text = text();
    let tables = text.split("\n\n").filter(|part| {
        let head = part.lines().next().unwrap_or_default();
        head.contains("metric | labels |")
    });
    let row = |line: &str| {
        let (name, rest) = line.strip_prefix("| `")?.split_once("` |")?;
        let labels = rest.split('|').next()?.split(',').map(str::trim);
        let labels = labels.filter(|label| !label.is_empty());
        Some((name.to_owned(), labels.map(str::to_owned).collect()))
    };
    tables.flat_map(str::lines).filter_map(row).collect()
}
