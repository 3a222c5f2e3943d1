//! What a panel asks of Jaeger, as a path of Jaeger's own API: what Grafana's datasource makes of a target.

use serde_json::Value;

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

/// The datasource has `name=value` for a tag, the API `name:value`.
fn search(target: &Value) -> String {
    let mut path = format!("/api/traces?service={}", text(target, "service"));
    for tag in text(target, "tags").split_whitespace() {
        path += &format!("&tag={}", tag.replacen('=', ":", 1));
    }
    if let Some(limit) = target["limit"].as_u64() {
        path += &format!("&limit={limit}");
    }
    path
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_search_becomes_a_path_with_each_of_its_tags() {
        let target = json!({ "queryType": "search", "service": "orders", "tags": "error=true zone=a", "limit": 20 });
        let expected = "/api/traces?service=orders&tag=error:true&tag=zone:a&limit=20";
        assert_eq!(path(&target).as_deref(), Some(expected));
    }

    #[test]
    fn what_jaeger_cannot_be_asked_has_no_path() {
        assert_eq!(path(&json!({ "queryType": "upload" })), None);
    }
}
