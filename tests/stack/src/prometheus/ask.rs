//! Questions to Prometheus' API.

use serde_json::Value;

use super::Prometheus;

impl Prometheus {
    /// The series that an expression gives now, or what is wrong with it.
    pub async fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let path = format!("/api/v1/query?query={}", encoded(expression));
        let answer = self.get(&path).await?;
        match &answer["data"]["result"] {
            Value::Array(series) => Ok(series.clone()),
            other => Err(format!("{expression} gives {other}")),
        }
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
