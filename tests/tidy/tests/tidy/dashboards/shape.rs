//! The documents themselves: names, places, descriptions, links.

use std::collections::BTreeSet;

use serde_json::Value;
use tidy::catalogue;

use super::{Dashboard, all, list, nothing, text};

/// What observability.md asks for, each answering a question of its own.
const DASHBOARDS: &[&str] = &[
    "discovery",
    "gateway",
    "load-test",
    "overview",
    "resilience",
    "service",
];

/// Marks on every time axis.
const ANNOTATIONS: &[&str] = &[
    "Alerts",
    "Breaker trips",
    "Deploys",
    "Faults",
    "Instance away",
    "Test phases",
];

/// Grafana's page has so many columns.
const COLUMNS: u64 = 24;

/// The fields of a panel's place: left, top, width, height.
fn place(panel: &Value) -> [u64; 4] {
    ["x", "y", "w", "h"].map(|field| panel["gridPos"][field].as_u64().unwrap_or_default())
}

fn overlap(one: &Value, other: &Value) -> bool {
    let ([x, y, w, h], [u, v, s, t]) = (place(one), place(other));
    x < u + s && u < x + w && y < v + t && v < y + h
}

#[test]
fn there_are_six_dashboards_with_stable_uids_and_each_is_in_the_catalogue() {
    let dashboards = all();
    let files: Vec<&str> = dashboards.iter().map(|one| &*one.file).collect();
    assert_eq!(files, DASHBOARDS);
    let catalogue = catalogue::text();
    for dashboard in &dashboards {
        let uid = dashboard.text("uid");
        assert_eq!(uid, format!("lictor-{}", dashboard.file));
        assert!(
            !dashboard.text("title").is_empty() && !dashboard.text("description").is_empty(),
            "{uid} says what it is for"
        );
        assert!(
            catalogue.contains(&format!("| `{uid}` |")),
            "{uid} is not in observability/README.md"
        );
        assert!(
            dashboard.json["id"].is_null(),
            "{uid}: Grafana numbers dashboards itself"
        );
    }
}

#[test]
fn every_panel_says_what_it_shows_and_in_what_unit() {
    let mut wrong = Vec::new();
    for dashboard in all() {
        let (mut ids, mut titles) = (BTreeSet::new(), BTreeSet::new());
        let mut row = "";
        for panel in dashboard.boxes() {
            let title = text(panel, "title");
            let mut lacks = |what: &str| wrong.push(format!("{}: {title}: {what}", dashboard.file));
            if title.is_empty() {
                lacks("no title");
            }
            if !panel["id"].as_u64().is_some_and(|id| ids.insert(id)) {
                lacks("no id of its own");
            }
            if text(panel, "type") == "row" {
                row = title;
                continue;
            }
            if !titles.insert((row, title)) {
                lacks("the title is used twice in its row");
            }
            if !text(panel, "description").ends_with('.') {
                lacks("no description that is a sentence");
            }
            let unit = panel.pointer("/fieldConfig/defaults/unit");
            if unit.and_then(Value::as_str).unwrap_or_default().is_empty() {
                lacks("no unit");
            }
            if list(panel, "/targets").is_empty() {
                lacks("nothing is asked");
            }
        }
    }
    nothing(wrong, "every panel has a title, a description and a unit");
}

#[test]
fn panels_do_not_overlap_and_stay_on_the_page() {
    let mut wrong = Vec::new();
    for dashboard in all() {
        let boxes = dashboard.boxes();
        for (at, panel) in boxes.iter().enumerate() {
            let [x, _, w, h] = place(panel);
            let title = text(panel, "title");
            if w == 0 || h == 0 || x + w > COLUMNS {
                wrong.push(format!("{}: {title}: off the page", dashboard.file));
            }
            let beneath = boxes[at + 1..].iter().filter(|other| overlap(panel, other));
            wrong.extend(
                beneath.map(|other| {
                    format!("{}: {title} and {}", dashboard.file, text(other, "title"))
                }),
            );
        }
    }
    nothing(wrong, "panels overlap");
}

/// The uid in `/d/UID?...`.
fn target(url: &str) -> &str {
    let uid = url.strip_prefix("/d/").unwrap_or_default();
    uid.split(['?', '/']).next().unwrap_or_default()
}

#[test]
fn links_lead_to_dashboards_that_exist_and_keep_time_and_variables() {
    let dashboards = all();
    let uids: BTreeSet<&str> = dashboards.iter().map(|one| one.text("uid")).collect();
    let mut wrong = Vec::new();
    for dashboard in &dashboards {
        let links = list(&dashboard.json, "/links");
        let mut reached: BTreeSet<&str> =
            links.iter().map(|link| target(text(link, "url"))).collect();
        reached.insert(dashboard.text("uid"));
        if reached != uids {
            wrong.push(format!("{} links to {reached:?}", dashboard.file));
        }
        let keeps = |link: &&Value| link["keepTime"] == true && link["includeVars"] == true;
        if !links.iter().all(|link| keeps(&link)) {
            wrong.push(format!(
                "{}: a link drops time or variables",
                dashboard.file
            ));
        }
        for (panel, url) in links_of_panels(dashboard) {
            if !uids.contains(target(url)) || !url.contains("${__url_time_range}") {
                wrong.push(format!("{}: {panel}: {url}", dashboard.file));
            }
        }
    }
    nothing(wrong, "links between dashboards");
}

/// Panel and address of what opens from a value.
fn links_of_panels(dashboard: &Dashboard) -> Vec<(&str, &str)> {
    let of = |panel| {
        let links = list(panel, "/fieldConfig/defaults/links");
        links
            .iter()
            .map(move |link| (text(panel, "title"), text(link, "url")))
    };
    dashboard.panels().flat_map(of).collect()
}

#[test]
fn every_dashboard_marks_faults_absences_deploys_trips_alerts_and_phases() {
    for dashboard in all() {
        let annotations = dashboard.annotations().iter();
        let names: BTreeSet<&str> = annotations.map(|one| text(one, "name")).collect();
        let wanted: BTreeSet<&str> = ANNOTATIONS.iter().copied().collect();
        assert_eq!(names, wanted, "{}", dashboard.file);
    }
}
