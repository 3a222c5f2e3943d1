//! Whom a route's answers are for, and whether they may be given again: to others at the same time, or later, when nobody can answer.

use serde::Deserialize;
use service::BadValue;

use super::RouteConfig;

/// Whom an answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answers {
    /// The caller: it is kept for nobody else.
    #[default]
    Personal,
    /// Everybody who asks the same.
    Shared,
}

/// Refuses what could never answer anybody, and what would answer somebody else.
pub fn check(name: &str, configured: &RouteConfig) -> Result<(), BadValue> {
    /// A day: an answer that is older says nothing about today.
    const OLDEST_MS: u64 = 86_400_000;
    let bad = |field: &str, value: &str, reason: &str| {
        Err(BadValue::new(
            format!("routes.{name}.{field}"),
            value,
            reason,
        ))
    };
    let read = configured.methods.contains("GET");
    if configured.last_good_ms > OLDEST_MS || configured.last_good_ms > 0 && !read {
        let value = configured.last_good_ms.to_string();
        return bad(
            "last_good_ms",
            &value,
            "must be at most 86400000, on a route with GET",
        );
    }
    if configured.coalesce && (configured.answers != Answers::Shared || !read) {
        return bad(
            "coalesce",
            "true",
            "only a GET whose answers are \"shared\" can be one call for several",
        );
    }
    if configured.coalesce && configured.aggregate.is_some() {
        return bad(
            "coalesce",
            "true",
            "an aggregate's parts are called by itself",
        );
    }
    match configured.fallbacks.first() {
        Some(first) if !read => bad("fallbacks", first, "only a GET has an answer in its place"),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use crate::route::Route;

    #[test]
    fn what_could_never_be_given_again_is_refused() {
        let build = |methods: &str, terms: &str| {
            let text = format!(
                "path = \"/api/x\"\nmethods = [{methods}]\nstrip = \"/api\"\nlimit = \"x\"\ntimeout_ms = 10\nbody_limit_bytes = 0\n{terms}"
            );
            Route::build("a", &toml::from_str(&text).unwrap())
                .map(|route| route.keeps())
                .map_err(|bad| bad.to_string())
        };
        let get = |terms: &str| build("\"GET\"", &format!("upstream = \"x\"\n{terms}"));
        assert_eq!(get(""), Ok(false));
        assert_eq!(get("last_good_ms = 5000"), Ok(true));
        assert_eq!(get("answers = \"shared\"\ncoalesce = true"), Ok(true));
        for (refused, key) in [
            (get("coalesce = true"), "routes.a.coalesce"),
            (get("last_good_ms = 86400001"), "routes.a.last_good_ms"),
            (
                build("\"POST\"", "upstream = \"x\"\nlast_good_ms = 1"),
                "routes.a.last_good_ms",
            ),
            (
                build("\"POST\"", "upstream = \"x\"\nfallbacks = [\"f\"]"),
                "routes.a.fallbacks",
            ),
            (
                build(
                    "\"GET\"",
                    "aggregate = \"dashboard\"\nanswers = \"shared\"\ncoalesce = true",
                ),
                "routes.a.coalesce",
            ),
        ] {
            let refused = refused.unwrap_err();
            assert!(refused.contains(key), "{refused}");
        }
    }
}
