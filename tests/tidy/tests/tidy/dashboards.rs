//! Grafana's dashboards and what is provisioned with them, held against this house: Grafana itself is nowhere near.
//!
//! `shape.rs` is about the documents, `queries.rs` about what they ask, `provisioning.rs` about the files that Grafana reads first.
//! Whether a query returns anything is shown against a real Prometheus (`stack::dashboards` lists them all).

mod provisioning;
mod queries;
mod shape;

use std::collections::BTreeSet;

use serde_json::Value;

use super::sources;

/// One document.
pub struct Dashboard {
    /// The file's name without `.json`.
    pub file: String,
    pub json: Value,
}

/// An expression of PromQL, and where it stands.
pub struct Query {
    /// `FILE: PANEL`.
    pub place: String,
    pub expression: String,
    /// What a series is called: `{{route}} {{status}}`.
    pub legend: String,
    pub exemplars: bool,
}

/// Every dashboard of observability/grafana/dashboards.
pub fn all() -> Vec<Dashboard> {
    let folder = sources::root().join("observability/grafana/dashboards");
    let entries = std::fs::read_dir(&folder).expect("the dashboards are there");
    let mut found: Vec<Dashboard> = entries
        .map(|entry| entry.expect("an entry can be read").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a dashboard is UTF-8");
            let json = serde_json::from_str(&text);
            let file = path.file_stem().expect("it has a name").to_string_lossy();
            Dashboard {
                json: json.unwrap_or_else(|error| panic!("{}: {error}", path.display())),
                file: file.into_owned(),
            }
        })
        .collect();
    found.sort_by(|one, other| one.file.cmp(&other.file));
    found
}

impl Dashboard {
    pub fn text(&self, field: &str) -> &str {
        text(&self.json, field)
    }

    /// Rows and panels, in their order.
    pub fn boxes(&self) -> &[Value] {
        list(&self.json, "/panels")
    }

    /// What shows something: all but rows.
    pub fn panels(&self) -> impl Iterator<Item = &Value> {
        let shows = |panel: &&Value| text(panel, "type") != "row";
        self.boxes().iter().filter(shows)
    }

    pub fn variables(&self) -> &[Value] {
        list(&self.json, "/templating/list")
    }

    pub fn annotations(&self) -> &[Value] {
        list(&self.json, "/annotations/list")
    }

    /// What panels and annotations ask of Prometheus.
    pub fn queries(&self) -> Vec<Query> {
        let place = |name: &str| format!("{}: {name}", self.file);
        let mut found = Vec::new();
        for panel in self.panels() {
            for target in list(panel, "/targets") {
                if let Some(expression) = target["expr"].as_str() {
                    found.push(Query {
                        place: place(text(panel, "title")),
                        expression: expression.to_owned(),
                        legend: text(target, "legendFormat").to_owned(),
                        exemplars: target["exemplar"] == true,
                    });
                }
            }
        }
        for annotation in self.annotations() {
            let words = ["titleFormat", "textFormat"].map(|field| text(annotation, field));
            found.push(Query {
                place: place(text(annotation, "name")),
                expression: text(&annotation["target"], "expr").to_owned(),
                legend: words.join(" "),
                exemplars: false,
            });
        }
        found
    }
}

/// A field that is a string; empty where it is none.
pub fn text<'a>(json: &'a Value, field: &str) -> &'a str {
    json[field].as_str().unwrap_or_default()
}

/// What a pointer leads to, if it is a list; else nothing.
pub fn list<'a>(json: &'a Value, pointer: &str) -> &'a [Value] {
    let found = json.pointer(pointer).and_then(Value::as_array);
    found.map_or(&[], Vec::as_slice)
}

/// Everything between `open` and the next `close`.
pub fn between<'a>(text: &'a str, open: &'a str, close: &'a str) -> impl Iterator<Item = &'a str> {
    let parts = text.split(open).skip(1);
    parts.filter_map(move |part| Some(part.split_once(close)?.0))
}

/// Fails with what is wrong, a line for each, none twice.
pub fn nothing(wrong: Vec<String>, rule: &str) {
    let wrong: BTreeSet<String> = wrong.into_iter().collect();
    let lines: Vec<String> = wrong.into_iter().collect();
    assert!(lines.is_empty(), "{rule}:\n{}", lines.join("\n"));
}
