//! Where a request goes, and on what terms.
//!
//! The table comes from configuration: each route has a path pattern, methods, and either an upstream service or an aggregate of the gateway's own.
//! The most specific pattern wins: more segments first, then more literal ones; an upstream's pattern is a prefix on a segment boundary, an aggregate's is the whole path.
//! Only the canonical path is looked at. A route stays whatever the state of its upstream: an unavailable service is 503, never 404 and never somebody else's route.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::Deserialize;
use service::BadValue;

use crate::{auth::Access, error::Error, method::Methods, pattern::Pattern};

/// A route as configuration gives it: `[routes.NAME]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    /// Segments; `{name}` stands for any one segment.
    pub path: String,
    pub methods: Methods,
    /// The service that answers, or else `aggregate`.
    pub upstream: Option<String>,
    pub aggregate: Option<Aggregate>,
    /// Taken off the front of the path before it goes upstream.
    #[serde(default)]
    pub strip: String,
    #[serde(default)]
    pub access: Access,
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The limit group that a principal's requests are charged to.
    pub limit: String,
    /// Total time from the head of the request to the head of the answer, retries included.
    pub timeout_ms: u64,
    pub body_limit_bytes: u64,
    /// A POST with an `Idempotency-Key` may be sent twice: the service keeps the key.
    #[serde(default)]
    pub idempotent: bool,
    /// The fallback that answers a GET when the upstream cannot.
    pub fallback: Option<String>,
    #[serde(default)]
    pub priority: Priority,
}

/// Answers that the gateway puts together itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    Profile,
    Dashboard,
    Health,
    ServiceHealth,
}

/// Who is turned away first when the gateway is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    Low,
    #[default]
    Normal,
    High,
}

/// A route, ready to be matched.
#[derive(Debug)]
pub struct Route {
    pub name: Arc<str>,
    /// The pattern as metrics and spans show it.
    pub template: Arc<str>,
    /// Its place in the table, for arrays that are kept per route.
    pub index: usize,
    pub methods: Methods,
    pub target: Target,
    pub access: Access,
    pub scopes: Vec<String>,
    pub limit: Arc<str>,
    pub timeout: Duration,
    pub body_limit: u64,
    pub idempotent: bool,
    pub fallback: Option<Arc<str>>,
    pub priority: Priority,
    pattern: Pattern,
}

/// What answers a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A service; `strip` bytes come off the front of the path.
    Upstream {
        name: Arc<str>,
        strip: usize,
    },
    Aggregate(Aggregate),
}

/// A route and what its placeholder stood for.
#[derive(Debug, Clone, Copy)]
pub struct Match<'t, 'p> {
    pub route: &'t Route,
    /// The segment that the pattern's first placeholder matched.
    pub captured: Option<&'p str>,
}

/// All routes, most specific first.
#[derive(Debug)]
pub struct Table {
    routes: Vec<Route>,
}

impl Table {
    /// Builds the table; a route that could never work is refused with its key.
    pub fn new(configured: &BTreeMap<String, RouteConfig>) -> Result<Self, BadValue> {
        let mut routes = configured
            .iter()
            .map(|(name, route)| build(name, route))
            .collect::<Result<Vec<_>, _>>()?;
        routes.sort_by(|a, b| {
            b.pattern
                .rank()
                .cmp(&a.pattern.rank())
                .then_with(|| a.template.cmp(&b.template))
        });
        for pair in routes.windows(2) {
            if pair[0].pattern == pair[1].pattern && pair[0].methods.overlap(pair[1].methods) {
                let key = format!("routes.{}.path", pair[1].name);
                return Err(BadValue::new(
                    key,
                    &*pair[1].template,
                    format!("route {} has the same path and method", pair[0].name),
                ));
            }
        }
        for (index, route) in routes.iter_mut().enumerate() {
            route.index = index;
        }
        Ok(Self { routes })
    }

    /// The route for a canonical path and a method.
    pub fn find<'t, 'p>(&'t self, path: &'p str, method: &str) -> Result<Match<'t, 'p>, Error> {
        let mut candidates = self.routes.iter().filter_map(|route| {
            let captured = route.pattern.matches(path)?.placeholder;
            Some(Match { route, captured })
        });
        let first = candidates.next().ok_or(Error::NoRoute)?;
        let mut allow = Methods::default();
        // Routes for the same paths stand side by side and differ by method; the next pattern is less specific and does not count.
        for found in std::iter::once(first).chain(candidates) {
            if found.route.pattern != first.route.pattern {
                break;
            }
            if found.route.methods.contains(method) {
                return Ok(found);
            }
            allow = allow.union(found.route.methods);
        }
        Err(Error::Method {
            allow: allow.to_string(),
        })
    }

    /// All routes, in table order.
    pub fn iter(&self) -> std::slice::Iter<'_, Route> {
        self.routes.iter()
    }
}

fn build(name: &str, configured: &RouteConfig) -> Result<Route, BadValue> {
    let bad = |field: &str, value: &str, reason: &str| {
        Err(BadValue::new(
            format!("routes.{name}.{field}"),
            value,
            reason,
        ))
    };
    let target = match (&configured.upstream, configured.aggregate) {
        (Some(upstream), None) => Target::Upstream {
            name: upstream.as_str().into(),
            strip: configured.strip.len(),
        },
        (None, Some(aggregate)) => Target::Aggregate(aggregate),
        _ => {
            return bad(
                "upstream",
                "",
                "a route has either an upstream or an aggregate",
            );
        }
    };
    let pattern = match Pattern::parse(&configured.path, matches!(target, Target::Upstream { .. }))
    {
        Ok(pattern) => pattern,
        Err(reason) => return bad("path", &configured.path, reason),
    };
    let rest = configured.path.strip_prefix(&configured.strip);
    if !rest.is_some_and(|rest| rest.starts_with('/')) || configured.strip.contains('{') {
        return bad(
            "strip",
            &configured.strip,
            "must be leading segments of the path, and not all of it",
        );
    }
    if configured.methods == Methods::default() {
        return bad("methods", "[]", "a route without methods answers nothing");
    }
    if !(1..=600_000).contains(&configured.timeout_ms) {
        return bad(
            "timeout_ms",
            &configured.timeout_ms.to_string(),
            "must be between 1 and 600000",
        );
    }
    if configured.access == Access::Public && !configured.scopes.is_empty() {
        return bad(
            "scopes",
            &configured.scopes.join(" "),
            "a public route asks nobody for scopes",
        );
    }
    Ok(Route {
        name: name.into(),
        template: configured.path.as_str().into(),
        index: 0,
        methods: configured.methods,
        target,
        access: configured.access,
        scopes: configured.scopes.clone(),
        limit: configured.limit.as_str().into(),
        timeout: Duration::from_millis(configured.timeout_ms),
        body_limit: configured.body_limit_bytes,
        idempotent: configured.idempotent,
        fallback: configured.fallback.as_deref().map(Into::into),
        priority: configured.priority,
        pattern,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn table(routes: &[(&str, &str, &str, &[&str])]) -> Result<Table, BadValue> {
        let configured = routes.iter().map(|(name, path, target, methods)| {
            let (key, value) = target.split_once('=').unwrap();
            let text = format!(
                "path = \"{path}\"\nmethods = {methods:?}\n{key} = \"{value}\"\nstrip = \"/api\"\nlimit = \"x\"\ntimeout_ms = 10\nbody_limit_bytes = 10\n"
            );
            ((*name).to_owned(), toml::from_str::<RouteConfig>(&text).unwrap())
        });
        Table::new(&configured.collect())
    }

    fn shop() -> Table {
        table(&[
            ("users", "/api/users", "upstream=users", &["GET", "POST"]),
            ("users_write", "/api/users", "upstream=users", &["DELETE"]),
            (
                "profile",
                "/api/users/{id}/profile",
                "aggregate=profile",
                &["GET"],
            ),
            (
                "health",
                "/api/{service}/health",
                "aggregate=service_health",
                &["GET"],
            ),
        ])
        .unwrap()
    }

    fn found(path: &str, method: &str) -> String {
        match shop().find(path, method) {
            Ok(found) => format!("{} {}", found.route.name, found.captured.unwrap_or("-")),
            Err(error) => error.facts().status.to_string(),
        }
    }

    #[test]
    fn the_most_specific_route_wins_on_segment_boundaries() {
        for (path, method, expected) in [
            ("/api/users", "GET", "users -"),
            ("/api/users/", "GET", "users -"),
            ("/api/users/7", "HEAD", "users -"),
            ("/api/users/7", "DELETE", "users_write -"),
            ("/api/users/7/profile", "GET", "profile 7"),
            ("/api/users/7/profile/x", "GET", "users -"),
            ("/api/users//profile", "GET", "users -"),
            ("/api/orders/health", "GET", "health orders"),
            ("/api/usersx", "GET", "404"),
            ("/api", "GET", "404"),
            ("/", "GET", "404"),
        ] {
            assert_eq!(found(path, method), expected, "{method} {path}");
        }
    }

    #[test]
    fn a_known_path_with_another_method_lists_what_is_allowed() {
        match shop().find("/api/users/7", "PATCH") {
            Err(Error::Method { allow }) => assert_eq!(allow, "GET, HEAD, POST, DELETE"),
            other => panic!("{other:?}"),
        }
        assert_eq!(found("/api/users/7/profile", "POST"), "405");
    }

    #[test]
    fn a_route_that_cannot_work_is_refused() {
        for (route, field) in [
            (("a", "/api/users/", "upstream=users", &["GET"][..]), "path"),
            (("a", "api/users", "upstream=users", &["GET"]), "path"),
            (("a", "/api/{x", "upstream=users", &["GET"]), "path"),
            (("a", "/api", "upstream=users", &["GET"]), "strip"),
            (("a", "/apiary", "upstream=users", &["GET"]), "strip"),
            (("a", "/api/users", "upstream=users", &[]), "methods"),
        ] {
            let refused = table(&[route]).unwrap_err().to_string();
            assert!(refused.contains(&format!("routes.a.{field}")), "{refused}");
        }
        let twice = table(&[
            ("a", "/api/x", "upstream=a", &["GET"]),
            ("b", "/api/x", "upstream=b", &["HEAD"]),
        ]);
        assert!(twice.unwrap_err().to_string().contains("same path"));
    }
}
