//! Who answers the queries of a dashboard: a real Prometheus, and a real Jaeger.

use serde_json::Value;
use stack::Client;
use stack::dashboards::{Query, Source};
use stack::prometheus::Prometheus;

use super::super::companions::traces::{list, text};

/// Of the newest traces, those that are looked through where Jaeger does not.
const LOOKED_THROUGH: usize = 500;

pub struct Sources<'a> {
    pub prometheus: &'a Prometheus,
    pub jaeger: Client,
}

impl Sources<'_> {
    /// How much a query finds: series, edges or traces.
    pub async fn count(&self, query: &Query) -> Result<usize, String> {
        match query.source {
            Source::Prometheus => {
                let series = self.prometheus.query(&query.without_stand_in()).await?;
                Ok(series.iter().filter(|one| says_something(one)).count())
            }
            Source::Jaeger => match self.ask(&query.expression).await?.len() {
                0 if query.expression.contains("tag=") => self.tagged(&query.expression).await,
                found => Ok(found),
            },
        }
    }

    async fn ask(&self, path: &str) -> Result<Vec<Value>, String> {
        let answer = self.jaeger.get(path).await;
        let answer = answer.map_err(|failure| failure.to_string())?;
        let found = answer.json()["data"].as_array().cloned();
        found.ok_or_else(|| format!("{} {}", answer.status, answer.text()))
    }

    /// The same by looking through traces: the memory of Jaeger 2.13 finds no `error=true`, however many there are (mended by pull request 8217, long before the 2.20 of compose).
    async fn tagged(&self, path: &str) -> Result<usize, String> {
        let (tags, others): (Vec<&str>, Vec<&str>) =
            path.split('&').partition(|part| part.starts_with("tag="));
        let tags: Vec<(&str, &str)> = tags
            .iter()
            .filter_map(|tag| tag.trim_start_matches("tag=").split_once(':'))
            .collect();
        // `/api/traces?service=NAME`
        let service = others[0].rsplit('=').next().unwrap_or_default();
        let path = format!("{}&limit={LOOKED_THROUGH}", others[0]);
        let traces = self.ask(&path).await?;
        let is_meant = |trace: &&Value| {
            let of_service = |span: &&Value| {
                let process = &trace["processes"][text(&span["processID"])];
                process["serviceName"] == service
            };
            let mut spans = list(&trace["spans"]).iter().filter(of_service);
            spans.any(|span| tags.iter().all(|(name, value)| has(span, name, value)))
        };
        Ok(traces.iter().filter(is_meant).count())
    }
}

fn has(span: &Value, name: &str, value: &str) -> bool {
    let mut tags = list(&span["tags"]).iter();
    tags.any(|tag| tag["key"] == name && text(&tag["value"]) == value)
}

/// 0 divided by 0 draws nothing.
fn says_something(series: &Value) -> bool {
    series["value"][1] != "NaN"
}
