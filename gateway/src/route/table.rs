//! All routes, and which one a request takes.
//!
//! The most specific pattern wins: more segments first, then more literal ones, then the whole path before a prefix.
//! Only the canonical path is looked at.

use std::collections::BTreeMap;

use service::BadValue;

use crate::{
    error::Error,
    route::method::Methods,
    route::{Route, RouteConfig},
};

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
            .map(|(name, route)| Route::build(name, route))
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

    /// The route at that place.
    pub fn get(&self, index: usize) -> Option<&Route> {
        self.routes.get(index)
    }
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
