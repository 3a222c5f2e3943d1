//! Questions to Prometheus' API.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::Prometheus;

/// How far back exemplars are looked for.
const RECENT: Duration = Duration::from_secs(600);

impl Prometheus {
    /// The series that an expression gives now, or what is wrong with it.
    pub async fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let path = format!("/api/v1/query?query={}", encoded(expression));
        let answer = self.get(&path).await?;
        listed(expression, &answer["data"]["result"])
    }

    /// The series that an expression names, each with the exemplars of the last minutes.
    pub async fn exemplars(&self, expression: &str) -> Result<Vec<Value>, String> {
        let end = SystemTime::now().duration_since(UNIX_EPOCH);
        let end = end.unwrap_or_default().as_secs() + 1;
        let path = format!(
            "/api/v1/query_exemplars?query={}&start={}&end={end}",
            encoded(expression),
            end.saturating_sub(RECENT.as_secs())
        );
        let answer = self.get(&path).await?;
        listed(expression, &answer["data"])
    }

    /// The whole answer to any other question, such as `/api/v1/targets`.
    pub async fn get(&self, path: &str) -> Result<Value, String> {
        let answer = self.client.get(path).await;
        let answer = answer.map_err(|failure| failure.to_string())?;
        if answer.status == 200 {
            Ok(answer.json())
        } else {
            Err(format!("{path}: {} {}", answer.status, answer.text()))
        }
    }
}

fn listed(expression: &str, result: &Value) -> Result<Vec<Value>, String> {
    match result {
        Value::Array(series) => Ok(series.clone()),
        other => Err(format!("{expression} gives {other}")),
    }
}

/// As a query's value: everything but letters and digits is escaped.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_survives_being_a_query() {
        assert_eq!(encoded("up{a=\"b\"} > 1"), "up%7Ba%3D%22b%22%7D%20%3E%201");
    }
}
