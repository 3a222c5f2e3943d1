//! What Grafana reads first: its files, by `schema.rs`, and its environment in `compose.yaml`.
//!
//! Every datasource that a dashboard names is there, links lead to what exists, and dashboards lie where they are looked for.

mod schema;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tidy::catalogue;

use super::{all, list, nothing, text};
use crate::compose::Compose;
use crate::{promql, rules, sources, yaml};
use schema::{Access, Flavour, HttpMethod, ProviderType};

/// Chosen by the variable of this name.
const BY_VARIABLE: &str = "${datasource}";

/// Where Grafana's image looks for its files.
const PROVISIONING: &str = "/etc/grafana/provisioning";

/// What the home dashboard is set with.
const HOME: &str = "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH";

/// Grafana's other settings; it says nothing to one that it does not know.
const SETTINGS: &[(&str, &str)] = &[
    ("GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES", "false"),
    ("GF_ANALYTICS_CHECK_FOR_UPDATES", "false"),
    ("GF_ANALYTICS_REPORTING_ENABLED", "false"),
    ("GF_AUTH_ANONYMOUS_ENABLED", "true"),
    ("GF_AUTH_ANONYMOUS_ORG_ROLE", "Viewer"),
    ("GF_NEWS_NEWS_FEED_ENABLED", "false"),
    ("GF_PLUGINS_PREINSTALL_DISABLED", "true"),
];

#[test]
fn the_datasources_have_fixed_uids_and_lead_to_each_other() {
    let file = schema::datasources();
    assert_eq!((file.api_version, file.prune), (1, true));
    let (prometheus, jaeger) = (file.prometheus(), file.jaeger());
    assert_eq!(
        (&*prometheus.name, &*prometheus.uid),
        ("Prometheus", "prometheus")
    );
    assert_eq!((&*jaeger.name, &*jaeger.uid), ("Jaeger", "jaeger"));
    assert_eq!([&prometheus.access, &jaeger.access], [&Access::Proxy; 2]);
    assert!(!prometheus.editable && !jaeger.editable);
    assert!(prometheus.is_default && !jaeger.is_default);
    assert_eq!(file.datasources.len(), 2);

    assert_eq!(prometheus.settings.http_method, HttpMethod::Post);
    assert_eq!(prometheus.settings.prometheus_type, Flavour::Prometheus);
    let scraped: Value = yaml::read("observability/prometheus/prometheus.yml");
    let every = &scraped["global"]["scrape_interval"];
    assert_eq!(*every, *prometheus.settings.time_interval);
    let [exemplars] = &*prometheus.settings.exemplar_trace_id_destinations else {
        panic!("exemplars lead to one place");
    };
    // The label that the collector gives them.
    assert_eq!(exemplars.name, "trace_id");
    assert_eq!(exemplars.datasource_uid, jaeger.uid);
    assert!(!exemplars.url_display_label.is_empty());
    assert!(jaeger.settings.node_graph.enabled);
    assert_eq!(
        jaeger.settings.traces_to_metrics.datasource_uid,
        prometheus.uid
    );
}

#[test]
fn from_a_span_only_metrics_that_exist_are_asked_for() {
    let file = schema::datasources();
    let way = &file.jaeger().settings.traces_to_metrics;
    assert!(way.span_start_time_shift.starts_with('-'));
    assert!(!way.span_end_time_shift.starts_with('-'));
    let [tag] = &*way.tags else {
        panic!("a span has one name among targets");
    };
    assert_eq!(
        (&*tag.key, &*tag.value),
        ("service.instance.id", "instance")
    );
    let catalogue = catalogue::metrics();
    let mut wrong = Vec::new();
    for asked in &way.queries {
        let expression = asked
            .query
            .replace("$$__tags", "instance=\"one\"")
            .replace("$$__rate_interval", "1m");
        let names = promql::names(&expression);
        assert_eq!(names.selectors.len(), 1, "{}: {expression}", asked.name);
        let metric = &names.selectors[0].metric;
        let labels = rules::labels_of(metric, &catalogue).unwrap_or_default();
        let used = names.selectors[0].labels.iter().chain(&names.grouped);
        let strange = used.filter(|label| !labels.contains(*label));
        wrong.extend(strange.map(|label| format!("{}: {metric}{{{label}}}", asked.name)));
    }
    nothing(wrong, "not in observability/README.md");
}

#[test]
fn every_datasource_that_is_named_is_provisioned() {
    let file = schema::datasources();
    let uids = BTreeSet::from([&*file.prometheus().uid, &*file.jaeger().uid]);
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
        let folder = sources::root().join("observability/grafana/provisioning");
        let file = std::fs::read_to_string(folder.join(path)).expect("it can be read");
        let single = file.replace("$$", "");
        let found = single.lines().find(|line| line.contains('$'));
        assert_eq!(found, None, "{path}");
    }
}

#[test]
fn dashboards_lie_where_they_are_looked_for_and_are_changed_in_their_files() {
    let file = schema::dashboards();
    assert_eq!(file.api_version, 1);
    let [provider] = &*file.providers else {
        panic!("one provider is enough");
    };
    assert_eq!((&*provider.name, provider.org_id), ("lictor", 1));
    assert_eq!(
        (&*provider.folder, &provider.r#type),
        ("", &ProviderType::File)
    );
    assert!(provider.disable_deletion && !provider.allow_ui_updates);
    assert!(provider.update_interval_seconds > 0);
    assert!(!provider.options.folders_from_files_structure);

    let compose = Compose::read();
    let grafana = &compose.services["grafana"];
    let behind = |path: &str| grafana.behind(path);
    assert_eq!(
        behind(&provider.options.path).as_deref(),
        Some("observability/grafana/dashboards")
    );
    assert_eq!(
        behind(PROVISIONING).as_deref(),
        Some("observability/grafana/provisioning")
    );
    let home = behind(&grafana.environment[HOME]).expect("the home dashboard is mounted");
    let json: Value = yaml::read(&home);
    assert_eq!(json["uid"], "lictor-overview", "{home}");
}

#[test]
fn grafana_is_open_to_viewers_and_asks_nobody_outside() {
    let compose = Compose::read();
    let environment = compose.services["grafana"].environment.iter();
    let set: BTreeMap<&str, &str> = environment
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .filter(|(key, _)| *key != HOME)
        .collect();
    assert_eq!(set, SETTINGS.iter().copied().collect());
}
