//! The queries of Grafana's dashboards, with their variables filled in: what Grafana would ask, ready to be asked of a real Prometheus and a real Jaeger.
//!
//! Grafana itself is not needed, and nothing here runs a query.
//! A panel's query must return something while there is traffic; an annotation's only when its event happens; a variable's whenever the dashboard is open.

mod traces;

use std::path::Path;

use serde_json::Value;

use crate::Error;

/// One query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The dashboard's uid.
    pub dashboard: String,
    /// The panel's title, or the annotation's or variable's name.
    pub panel: String,
    pub kind: Kind,
    pub source: Source,
    /// Without any variable: PromQL, or a path of Jaeger's API.
    pub expression: String,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Panel,
    Annotation,
    Variable,
}

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Prometheus,
    Jaeger,
}

/// In front of what stands in at the end of a query: a row called `none`.
const STAND_IN: &str = " or label_replace(vector(0) unless ";

impl Query {
    /// The query without what stands in while nothing of it ever happened, to see whether it finds something.
    pub fn without_stand_in(&self) -> String {
        let own = self.expression.split(STAND_IN).next().unwrap_or_default();
        own.replace(" or vector(0)", "")
    }
}

/// What stands for Grafana's variables.
#[derive(Clone, Debug)]
pub struct Terms {
    /// `$__rate_interval`: Grafana takes at least four scrapes; more find what happens seldom.
    pub rate_interval: String,
    /// `$__range`: the time shown.
    pub range: String,
    /// Variables with a value other than the dashboard's own default, such as `("service", "users")`.
    pub chosen: Vec<(String, String)>,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            rate_interval: "1m".to_owned(),
            range: "15m".to_owned(),
            chosen: Vec::new(),
        }
    }
}

/// Every query of every dashboard in `folder`, in the order of files and panels.
///
/// # Errors
/// The folder or a file cannot be read, or a file is no JSON.
pub fn queries(folder: &Path, terms: &Terms) -> Result<Vec<Query>, Error> {
    let failed = |source| Error::Io {
        doing: format!("reading {}", folder.display()),
        source,
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        files.push(entry.map_err(failed)?.path());
    }
    files.retain(|file| {
        file.extension()
            .is_some_and(|extension| extension == "json")
    });
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).map_err(failed)?;
        let json = serde_json::from_str(&text)
            .map_err(|error| Error::Other(format!("{}: {error}", file.display())))?;
        found.extend(of(&json, terms));
    }
    Ok(found)
}

/// Every query of one dashboard: panels, then annotations, then variables.
pub fn of(dashboard: &Value, terms: &Terms) -> Vec<Query> {
    let variables = values(dashboard, terms);
    let query = |panel: &Value, kind, source, expression: &str| Query {
        dashboard: text(dashboard, "uid"),
        panel: panel.as_str().unwrap_or_default().to_owned(),
        kind,
        source,
        expression: filled(expression, &variables),
    };
    let mut found = Vec::new();
    for panel in list(dashboard, "/panels") {
        for target in list(panel, "/targets") {
            let (source, expression) = asked(target);
            found.push(query(&panel["title"], Kind::Panel, source, &expression));
        }
    }
    for annotation in list(dashboard, "/annotations/list") {
        if let Some(expression) = annotation["target"]["expr"].as_str() {
            found.push(query(
                &annotation["name"],
                Kind::Annotation,
                Source::Prometheus,
                expression,
            ));
        }
    }
    for variable in list(dashboard, "/templating/list") {
        if let Some(expression) = variable["query"]["query"].as_str().and_then(label_values) {
            found.push(query(
                &variable["name"],
                Kind::Variable,
                Source::Prometheus,
                &expression,
            ));
        }
    }
    found
}

/// What a panel's target asks, and of whom; what is neither is given to Prometheus as it is, which refuses it: nothing is left out in silence.
fn asked(target: &Value) -> (Source, String) {
    if let Some(expression) = target["expr"].as_str() {
        return (Source::Prometheus, expression.to_owned());
    }
    match traces::path(target) {
        Some(path) => (Source::Jaeger, path),
        None => (Source::Prometheus, target.to_string()),
    }
}

/// `label_values(SELECTOR, LABEL)` is Grafana's own: the same as a query, a series for each value.
fn label_values(query: &str) -> Option<String> {
    let inside = query.strip_prefix("label_values(")?.strip_suffix(')')?;
    let (selector, label) = inside.rsplit_once(", ")?;
    Some(format!("count by ({label}) ({selector})"))
}

/// Names and values, longer names first: `$service` must not be found in `$service_name`.
fn values(dashboard: &Value, terms: &Terms) -> Vec<(String, String)> {
    let mut found = vec![
        ("__rate_interval".to_owned(), terms.rate_interval.clone()),
        ("__range".to_owned(), terms.range.clone()),
    ];
    for variable in list(dashboard, "/templating/list") {
        let name = text(variable, "name");
        let chosen = terms.chosen.iter().find(|(one, _)| *one == name);
        let all = variable["allValue"].as_str();
        let value = chosen.map(|(_, value)| value.as_str()).or(all);
        let value = value.or_else(|| variable["current"]["value"].as_str());
        found.push((name, value.unwrap_or_default().to_owned()));
    }
    found.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    found
}

fn filled(expression: &str, values: &[(String, String)]) -> String {
    let fill =
        |text: String, (name, value): &(String, String)| text.replace(&format!("${name}"), value);
    values.iter().fold(expression.to_owned(), fill)
}

fn text(json: &Value, field: &str) -> String {
    json[field].as_str().unwrap_or_default().to_owned()
}

fn list<'a>(json: &'a Value, pointer: &str) -> &'a [Value] {
    let found = json.pointer(pointer).and_then(Value::as_array);
    found.map_or(&[], Vec::as_slice)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::Place;

    #[test]
    fn variables_take_all_values_the_default_or_what_was_chosen() {
        let dashboard = serde_json::json!({
            "uid": "lamps",
            "templating": { "list": [
                { "name": "zone", "allValue": ".*", "query": { "query": "label_values(up{a=\"$zone_name\"}, zone)" } },
                { "name": "zone_name", "current": { "value": "east" } },
            ]},
            "panels": [
                { "title": "Lit", "targets": [{ "expr": "rate(lit{z=\"$zone\", n=\"$zone_name\"}[$__rate_interval])" }] },
                { "title": "Map", "targets": [{ "queryType": "dependencyGraph" }] },
            ],
        });
        let asked = |terms: &Terms| {
            let queries = of(&dashboard, terms).into_iter();
            queries.map(|one| one.expression).collect::<Vec<_>>()
        };
        let panel = r#"rate(lit{z=".*", n="east"}[1m])"#;
        let variable = r#"count by (zone) (up{a="east"})"#;
        let map = "/api/dependencies?lookback=3600000";
        assert_eq!(asked(&Terms::default()), [panel, map, variable]);
        let chosen = Terms {
            rate_interval: "30s".to_owned(),
            chosen: vec![("zone".to_owned(), "b".to_owned())],
            ..Terms::default()
        };
        let panel = r#"rate(lit{z="b", n="east"}[30s])"#;
        assert_eq!(asked(&chosen), [panel, map, variable]);
    }

    #[test]
    fn what_stands_in_for_nothing_can_be_left_out() {
        let asked = |expression: &str| {
            let query = Query {
                dashboard: "lamps".to_owned(),
                panel: "Lit".to_owned(),
                kind: Kind::Panel,
                source: Source::Prometheus,
                expression: expression.to_owned(),
            };
            query.without_stand_in()
        };
        assert_eq!(
            asked("(sum(lit) or vector(0)) + sum(dim)"),
            "(sum(lit)) + sum(dim)"
        );
        let named =
            r#"sum(lit) or label_replace(vector(0) unless on () lit, "kind", "none", "", "")"#;
        assert_eq!(asked(named), "sum(lit)");
        assert_eq!(
            asked("sum(lit) or 0 * sum(dim)"),
            "sum(lit) or 0 * sum(dim)"
        );
    }

    #[test]
    fn the_dashboards_of_this_repository_leave_no_variable_open() {
        let place = Place::find().unwrap();
        let folder = place.root().join("observability/grafana/dashboards");
        let queries = queries(&folder, &Terms::default()).unwrap();
        assert!(queries.len() > 100, "{} queries", queries.len());
        for query in &queries {
            assert!(!query.expression.contains('$'), "{query:?}");
        }
    }
}
