//! Which reads ask the same: the canonical request, and who asks.
//!
//! The key holds everything that the gateway lets an answer depend on, as it is and not as a hash: two callers never share an answer because of a collision.
//! Where a route does not say that its answers are for everybody, the caller's subject and scopes are part of it.
//! A request with a body, with cookies, or with a credential that only the upstream can read, has no key: its answer is its own.

use std::sync::Arc;

use actix_web::{
    HttpRequest,
    http::{
        Method,
        header::{
            ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, AUTHORIZATION, COOKIE, HeaderMap, HeaderName,
        },
    },
};

use crate::{
    auth::Principal,
    edge::Sent,
    forward::upload::Source,
    route::{Route, keeping::Answers},
};

/// The request headers that an answer may vary by.
pub const VARIES: [HeaderName; 3] = [ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE];

/// What a read asks, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key(Arc<[u8]>);

impl Key {
    /// The key of a read on a route that gives answers again; none if this request's answer is its own.
    pub fn of(
        route: &Route,
        request: &HttpRequest,
        sent: &Sent<'_>,
        principal: Option<&Principal>,
        source: &Source,
    ) -> Option<Self> {
        let read = matches!(*request.method(), Method::GET | Method::HEAD) && source.is_empty();
        let headers = request.headers();
        if !(route.keeps() && read) || is_personal(headers, principal) {
            return None;
        }
        let mut key = Vec::with_capacity(192);
        let mut part = |bytes: &[u8]| {
            key.extend_from_slice(&bytes.len().to_le_bytes());
            key.extend_from_slice(bytes);
        };
        part(route.name.as_bytes());
        match (route.answers, principal) {
            (Answers::Personal, Some(who)) => {
                part(who.subject.as_bytes());
                part(who.scopes.as_bytes());
            }
            // As many parts as with a caller, none of which a caller could have.
            (Answers::Personal, None) | (Answers::Shared, _) => {
                part(b"");
                part(b"");
            }
        }
        // Upstream sees it as X-Forwarded-Host: an answer made for one name is not served under another.
        part(sent.checked.host.as_bytes());
        part(&sent.path.after(0));
        for name in VARIES {
            let mut values = headers.get_all(name);
            part(values.next().map_or(b"", |value| value.as_bytes()));
            if values.next().is_some() {
                return None;
            }
        }
        Some(Self(key.into()))
    }

    /// Its length in bytes.
    pub fn bytes(&self) -> usize {
        self.0.len()
    }

    #[cfg(test)]
    pub fn test(name: &str) -> Self {
        Self(name.as_bytes().into())
    }
}

/// Whether the request carries what only its upstream knows how to read.
fn is_personal(headers: &HeaderMap, principal: Option<&Principal>) -> bool {
    headers.contains_key(COOKIE) || headers.contains_key(AUTHORIZATION) && principal.is_none()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;
    use crate::{config, edge};

    fn route(terms: &str) -> Route {
        let text = format!(
            "path = \"/api/x\"\nmethods = [\"GET\"]\nupstream = \"x\"\nstrip = \"/api\"\nlimit = \"x\"\ntimeout_ms = 10\nbody_limit_bytes = 0\n{terms}"
        );
        Route::build("x", &toml::from_str(&text).unwrap()).unwrap()
    }

    fn key(route: &Route, uri: &str, headers: &[(&str, &str)], who: Option<&str>) -> Option<Key> {
        let base = TestRequest::with_uri(uri);
        let named = headers.iter().any(|(name, _)| *name == "host");
        let base = if named {
            base
        } else {
            base.append_header(("host", "shop"))
        };
        let request = headers
            .iter()
            .fold(base, |request, header| request.append_header(*header))
            .to_http_request();
        let edge = config::shipped().edge;
        let sent = edge::guard(&request, &edge).unwrap();
        let principal = who.map(|who| {
            let (subject, scopes) = who.split_once(' ').unwrap_or((who, ""));
            Principal {
                subject: subject.into(),
                scopes: scopes.into(),
                key: Some("k".into()),
            }
        });
        Key::of(route, &request, &sent, principal.as_ref(), &Source::none())
    }

    #[test]
    fn one_resource_has_one_key_however_it_is_spelled() {
        let route = route("last_good_ms = 1000");
        let one = key(&route, "/api/x/a?q=1", &[], Some("ada"));
        assert!(one.is_some());
        assert_eq!(
            one,
            key(
                &route,
                "/%61pi/x/%61?q=1",
                &[("user-agent", "z")],
                Some("ada")
            )
        );
        for (uri, headers) in [
            ("/api/x/a?q=2", &[][..]),
            ("/api/x/a", &[]),
            ("/api/x/a?q=1", &[("accept", "text/html")]),
            ("/api/x/a?q=1", &[("accept-language", "text/html")]),
            ("/api/x/a?q=1", &[("accept-encoding", "gzip")]),
            ("/api/x/a?q=1", &[("host", "other")]),
        ] {
            assert_ne!(
                one,
                key(&route, uri, headers, Some("ada")),
                "{uri} {headers:?}"
            );
        }
    }

    #[test]
    fn an_answer_belongs_to_its_caller_unless_the_route_says_shared() {
        let personal = route("last_good_ms = 1000");
        let of = |route: &Route, who: Option<&str>| key(route, "/api/x", &[], who);
        let callers = [None, Some("ada"), Some("ada admin"), Some("bob")];
        for (at, one) in callers.iter().enumerate() {
            for other in &callers[at + 1..] {
                assert_ne!(
                    of(&personal, *one),
                    of(&personal, *other),
                    "{one:?} {other:?}"
                );
            }
        }
        let shared = route("last_good_ms = 1000\nanswers = \"shared\"");
        assert_eq!(of(&shared, Some("ada")), of(&shared, None));
    }

    #[test]
    fn what_only_the_upstream_can_read_has_no_key() {
        let shared = route("last_good_ms = 1000\nanswers = \"shared\"");
        assert_eq!(key(&shared, "/api/x", &[("cookie", "a=1")], None), None);
        assert_eq!(
            key(&shared, "/api/x", &[("authorization", "Basic x")], None),
            None
        );
        assert!(
            key(
                &shared,
                "/api/x",
                &[("authorization", "Bearer x")],
                Some("ada")
            )
            .is_some()
        );
        assert_eq!(
            key(&shared, "/api/x", &[("accept", "a"), ("accept", "b")], None),
            None
        );
        assert_eq!(
            key(&route(""), "/api/x", &[], None),
            None,
            "a route that keeps nothing"
        );
    }
}
