//! What the processes of a running system expose is in the catalogue, observability/README.md: each name, with the labels that it has there.
//!
//! `tests/tidy` holds the names in the code against it; here are also those that libraries bring.

use std::collections::{BTreeMap, BTreeSet};

use stack::Client;
use tidy::catalogue::{self, SUFFIXES};

use super::system::{System, ok};

/// What the exposition adds to a histogram's own labels.
const BUCKET: &str = "le";

/// Metrics and their labels, as everybody together exposes them.
type Exposed = BTreeMap<String, BTreeSet<String>>;

/// Adds what one process says.
fn read(text: &str, exposed: &mut Exposed) {
    let family = |line: &str| {
        line.strip_prefix("# TYPE ")?
            .split(' ')
            .next()
            .map(str::to_owned)
    };
    let families: BTreeSet<String> = text.lines().filter_map(family).collect();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let end = line.find(['{', ' ']).unwrap_or(line.len());
        let (sample, rest) = line.split_at(end);
        let stems = SUFFIXES.iter().filter_map(|end| sample.strip_suffix(end));
        let stem = stems.into_iter().find(|stem| families.contains(*stem));
        let labels = exposed
            .entry(stem.unwrap_or(sample).to_owned())
            .or_default();
        labels.extend(names(rest).filter(|name| name != BUCKET));
    }
}

/// `{a="x",b="y"} 1`: every other piece between quotation marks is a name.
fn names(labels: &str) -> impl Iterator<Item = String> {
    let inside = labels
        .strip_prefix('{')
        .and_then(|rest| rest.rsplit_once('}'));
    let pieces = inside
        .map_or("", |(inside, _)| inside)
        .split('"')
        .step_by(2);
    let names = pieces.map(|piece| piece.trim_matches([',', '=']).to_owned());
    names.filter(|name| !name.is_empty())
}

/// Holds every process that runs against the catalogue.
pub async fn everything_is_in_the_catalogue(system: &System) {
    let mut exposed = Exposed::new();
    for instance in system.instances() {
        let answer = Client::new(instance.addresses.ops).get("/metrics").await;
        read(&ok(answer).text(), &mut exposed);
    }
    let known = catalogue::metrics();
    let wrong: Vec<String> = exposed
        .iter()
        .filter(|(name, labels)| known.get(*name) != Some(*labels))
        .map(|(name, labels)| match known.get(name) {
            Some(row) => format!("{name} has the labels {labels:?}, there {row:?}"),
            None => format!("{name} {labels:?} is not there"),
        })
        .collect();
    println!("{} metrics are exposed", exposed.len());
    let wrong = wrong.join("\n");
    assert!(
        wrong.is_empty(),
        "not as in observability/README.md:\n{wrong}"
    );
}

#[test]
fn names_and_labels_are_read_from_what_is_exposed() {
    let text = "# HELP a What.\n# TYPE a histogram\na_bucket{route=\"/x/{id}\",le=\"1\"} 1\na_sum{route=\"/x/{id}\"} 1\n# TYPE b_count gauge\nb_count 2\n";
    let mut exposed = Exposed::new();
    read(text, &mut exposed);
    let names: Vec<&str> = exposed.keys().map(String::as_str).collect();
    assert_eq!(names, ["a", "b_count"]);
    assert_eq!(exposed["a"], BTreeSet::from(["route".to_owned()]));
    assert!(exposed["b_count"].is_empty());
}
