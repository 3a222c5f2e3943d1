//! The files that Grafana reads first: every datasource that a dashboard names is there, and dashboards lie where they are looked for.

use std::collections::BTreeSet;

use super::{all, list, nothing, text};
use crate::sources;

/// Chosen by the variable of this name.
const BY_VARIABLE: &str = "${datasource}";

fn read(path: &str) -> String {
    let path = sources::root()
        .join("observability/grafana/provisioning")
        .join(path);
    let text = std::fs::read_to_string(&path);
    text.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The values of a key, wherever it stands; comments are no keys.
fn values<'a>(yaml: &'a str, key: &str) -> Vec<&'a str> {
    let lines = yaml
        .lines()
        .map(|line| line.trim_start().trim_start_matches("- "));
    lines
        .filter_map(|line| line.strip_prefix(key)?.strip_prefix(": "))
        .collect()
}

#[test]
fn every_datasource_that_is_named_is_provisioned() {
    let yaml = read("datasources/datasources.yaml");
    let uids: BTreeSet<&str> = values(&yaml, "uid").into_iter().collect();
    assert_eq!(uids, BTreeSet::from(["jaeger", "prometheus"]));
    for uid in values(&yaml, "datasourceUid") {
        assert!(uids.contains(uid), "datasources.yaml: {uid}");
    }
    let mut wrong = Vec::new();
    for dashboard in all() {
        let variable = dashboard
            .variables()
            .iter()
            .find(|one| text(one, "name") == "datasource");
        let default = variable.and_then(|one| one["current"]["value"].as_str());
        if !default.is_some_and(|uid| uids.contains(uid)) {
            wrong.push(format!("{}: $datasource is {default:?}", dashboard.file));
        }
        let panels = dashboard.panels();
        let targets = panels.flat_map(|panel| list(panel, "/targets").iter().chain([panel]));
        let asked = dashboard
            .variables()
            .iter()
            .filter(|one| text(one, "type") == "query");
        for asks in targets.chain(asked).chain(dashboard.annotations()) {
            let uid = text(&asks["datasource"], "uid");
            if uid != BY_VARIABLE && !uids.contains(uid) {
                let name = ["title", "refId", "name"]
                    .map(|field| text(asks, field))
                    .concat();
                wrong.push(format!("{}: {name}: {uid:?}", dashboard.file));
            }
        }
    }
    nothing(wrong, "a datasource is $datasource or one with a fixed uid");
}

#[test]
fn a_dollar_is_written_twice_where_grafana_would_read_a_variable() {
    for path in ["datasources/datasources.yaml", "dashboards/dashboards.yaml"] {
        let single = read(path).replace("$$", "");
        let found = single.lines().find(|line| line.contains('$'));
        assert_eq!(found, None, "{path}");
    }
}

#[test]
fn an_exemplar_leads_to_jaeger_by_the_name_that_the_collector_gives_it() {
    let yaml = read("datasources/datasources.yaml");
    let (_, after) = yaml
        .split_once("exemplarTraceIdDestinations:")
        .expect("exemplars lead somewhere");
    assert_eq!(values(after, "name").first(), Some(&"trace_id"));
    assert_eq!(values(after, "datasourceUid").first(), Some(&"jaeger"));
}

#[test]
fn dashboards_lie_where_they_are_looked_for_and_are_changed_in_their_files() {
    let yaml = read("dashboards/dashboards.yaml");
    assert_eq!(values(&yaml, "path"), ["/var/lib/grafana/dashboards"]);
    assert_eq!(values(&yaml, "allowUiUpdates"), ["false"]);
}
