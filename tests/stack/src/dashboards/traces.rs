//! What a panel asks of Jaeger, as the path of Jaeger's own API that Grafana's datasource makes of it.

use serde_json::{Map, Value};

use super::text;

/// What Grafana would take from the time shown; longer than any run.
const LOOKBACK_MS: u32 = 3_600_000;

/// The path, for a target that Jaeger is asked.
pub fn path(target: &Value) -> Option<String> {
    match target["queryType"].as_str()? {
        "dependencyGraph" => Some(format!("/api/dependencies?lookback={LOOKBACK_MS}")),
        "search" => Some(search(target)),
        _ => None,
    }
}

fn search(target: &Value) -> String {
    let mut path = format!("/api/traces?service={}", encoded(&text(target, "service")));
    let tags: Map<String, Value> = text(target, "tags")
        .split_whitespace()
        .filter_map(|tag| tag.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    if !tags.is_empty() {
        path += &format!("&tags={}", encoded(&Value::from(tags).to_string()));
    }
    if let Some(limit) = target["limit"].as_u64() {
        path += &format!("&limit={limit}");
    }
    path
}

/// For the query of a URL.
fn encoded(text: &str) -> String {
    let bytes = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    });
    bytes.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_search_becomes_a_path_with_its_tags_as_an_object() {
        let target =
            json!({ "queryType": "search", "service": "a b", "tags": "error=true", "limit": 20 });
        let expected = "/api/traces?service=a%20b&tags=%7B%22error%22%3A%22true%22%7D&limit=20";
        assert_eq!(path(&target).as_deref(), Some(expected));
    }

    #[test]
    fn what_jaeger_cannot_be_asked_has_no_path() {
        assert_eq!(path(&json!({ "queryType": "upload" })), None);
    }
}
