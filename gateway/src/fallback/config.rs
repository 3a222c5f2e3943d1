//! `[fallbacks.NAME]`: a fixed body, or another service to ask.

use std::{collections::BTreeMap, sync::Arc};

use actix_web::{
    HttpResponse,
    http::header::{CONTENT_TYPE, HeaderValue},
};
use bytes::Bytes;
use serde::Deserialize;
use service::BadValue;

use super::service::Other;

/// A fallback as configuration gives it: `content_type` and `body`, or `service` and `path`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FallbackConfig {
    pub content_type: Option<String>,
    pub body: Option<String>,
    /// The service to ask.
    pub service: Option<String>,
    /// What to ask it; `{rest}` at its end stands for what followed the route's own path, query included.
    pub path: Option<String>,
}

/// What can stand in.
#[derive(Debug)]
pub enum Fallback {
    Fixed(Fixed),
    Service(Other),
}

/// A body that never changes.
#[derive(Debug)]
pub struct Fixed {
    content_type: HeaderValue,
    body: Bytes,
}

impl Fixed {
    /// The body as an answer.
    pub fn to_response(&self) -> HttpResponse {
        HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, self.content_type.clone()))
            .body(self.body.clone())
    }
}

impl FallbackConfig {
    /// What it describes.
    ///
    /// # Errors
    /// The first bad value, by its key.
    pub fn build(&self, name: &str) -> Result<Fallback, BadValue> {
        match (&self.content_type, &self.body, &self.service, &self.path) {
            (Some(content_type), Some(body), None, None) => fixed(name, content_type, body),
            (None, None, Some(service), Some(path)) => Other::new(service, path)
                .map(Fallback::Service)
                .map_err(|reason| BadValue::new(format!("fallbacks.{name}.path"), path, reason)),
            _ => Err(BadValue::new(
                "fallbacks",
                name,
                "has either content_type and body, or service and path",
            )),
        }
    }
}

fn fixed(name: &str, content_type: &str, body: &str) -> Result<Fallback, BadValue> {
    let Ok(value) = HeaderValue::from_str(content_type) else {
        return Err(BadValue::new(
            format!("fallbacks.{name}.content_type"),
            content_type,
            "is not a header value",
        ));
    };
    let json = content_type.starts_with("application/json");
    match serde_json::from_str::<serde::de::IgnoredAny>(body) {
        Err(error) if json => Err(BadValue::new(
            format!("fallbacks.{name}.body"),
            body,
            format!("is not JSON: {error}"),
        )),
        _ => Ok(Fallback::Fixed(Fixed {
            content_type: value,
            body: body.to_owned().into(),
        })),
    }
}

/// All fallbacks of the configuration.
pub fn build(
    configured: &BTreeMap<String, FallbackConfig>,
) -> Result<BTreeMap<Arc<str>, Fallback>, BadValue> {
    let built = |(name, fallback): (&String, &FallbackConfig)| {
        Ok((name.as_str().into(), fallback.build(name)?))
    };
    configured.iter().map(built).collect()
}

/// Refuses names that a route gives and nobody has, and what could never have its turn.
pub fn check_order(
    route: &str,
    names: &[String],
    fallbacks: &BTreeMap<Arc<str>, Fallback>,
) -> Result<(), BadValue> {
    let bad = |name: &str, reason| {
        Err(BadValue::new(
            format!("routes.{route}.fallbacks"),
            name,
            reason,
        ))
    };
    let mut answered = false;
    for name in names {
        if answered {
            return bad(name, "stands behind a fixed body, which always answers");
        }
        match fallbacks.get(&**name) {
            Some(fallback) => answered = matches!(fallback, Fallback::Fixed(_)),
            None => return bad(name, "there is no such entry in fallbacks"),
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn refused(toml: &str, names: &[&str]) -> Option<String> {
        let configured: BTreeMap<String, FallbackConfig> = toml::from_str(toml).unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        build(&configured)
            .and_then(|built| check_order("r", &names, &built))
            .err()
            .map(|bad| bad.to_string())
    }

    const BOTH: &str = "[fixed]\ncontent_type = \"application/json\"\nbody = \"{}\"\n[other]\nservice = \"users\"\npath = \"/users{rest}\"\n";

    #[test]
    fn a_fallback_is_one_of_two_things() {
        assert_eq!(refused(BOTH, &["other", "fixed"]), None);
        for (toml, key) in [
            ("[a]\nbody = \"x\"", "fallbacks = a"),
            ("[a]\nservice = \"x\"", "fallbacks = a"),
            (
                "[a]\nservice = \"x\"\npath = \"/\"\nbody = \"x\"",
                "fallbacks = a",
            ),
            (
                "[a]\ncontent_type = \"application/json\"\nbody = \"{\"",
                "fallbacks.a.body",
            ),
            (
                "[a]\ncontent_type = \"\\n\"\nbody = \"x\"",
                "fallbacks.a.content_type",
            ),
            ("[a]\nservice = \"x\"\npath = \"x\"", "fallbacks.a.path = x"),
            (
                "[a]\nservice = \"x\"\npath = \"/x/{rest}/y\"",
                "fallbacks.a.path",
            ),
        ] {
            let refused = refused(toml, &[]).unwrap();
            assert!(refused.contains(key), "{refused}");
        }
    }

    #[test]
    fn what_could_never_have_its_turn_is_refused() {
        let behind = refused(BOTH, &["fixed", "other"]).unwrap();
        assert!(behind.contains("routes.r.fallbacks = other"), "{behind}");
        let unknown = refused(BOTH, &["nobody"]).unwrap();
        assert!(unknown.contains("routes.r.fallbacks = nobody"), "{unknown}");
    }
}
