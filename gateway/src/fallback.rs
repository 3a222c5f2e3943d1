//! What a client gets when the upstream cannot answer: a static body from configuration, today.
//!
//! A fallback stands in for a read that failed on the way or on the upstream's side (refused, cut, late, 5xx); it never hides a client's own mistake or a limit.
//! The answer says so: `X-Gateway-Fallback: static`.
//! The last good answer (keyed by canonical request and caller) will stand before the static one, and another service after it; both belong in `or`.

use std::{collections::BTreeMap, sync::Arc};

use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{CONTENT_TYPE, HeaderName, HeaderValue},
    },
};
use bytes::Bytes;
use serde::Deserialize;
use service::BadValue;

use crate::{
    error::{Error, Origin},
    metrics::Metrics,
    route::Route,
};

/// Which kind of fallback answered.
pub const X_GATEWAY_FALLBACK: HeaderName = HeaderName::from_static("x-gateway-fallback");

/// `[fallbacks.NAME]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FallbackConfig {
    pub content_type: String,
    pub body: String,
}

impl FallbackConfig {
    /// Refuses a body that is not what its type says.
    pub fn check(&self, name: &str) -> Result<(), BadValue> {
        if HeaderValue::from_str(&self.content_type).is_err() {
            return Err(BadValue::new(
                format!("fallbacks.{name}.content_type"),
                &self.content_type,
                "is not a header value",
            ));
        }
        let json = self.content_type.starts_with("application/json");
        match serde_json::from_str::<serde::de::IgnoredAny>(&self.body) {
            Err(error) if json => Err(BadValue::new(
                format!("fallbacks.{name}.body"),
                &self.body,
                format!("is not JSON: {error}"),
            )),
            _ => Ok(()),
        }
    }
}

/// All fallbacks of the configuration.
pub struct Fallbacks {
    fixed: BTreeMap<Arc<str>, Fixed>,
    metrics: Metrics,
}

struct Fixed {
    content_type: HeaderValue,
    body: Bytes,
}

impl Fallbacks {
    pub fn new(configured: &BTreeMap<String, FallbackConfig>, metrics: Metrics) -> Self {
        let fixed = |(name, fallback): (&String, &FallbackConfig)| {
            let content_type = HeaderValue::from_str(&fallback.content_type)
                .expect("the configuration was checked");
            (
                name.as_str().into(),
                Fixed {
                    content_type,
                    body: fallback.body.clone().into(),
                },
            )
        };
        Self {
            fixed: configured.iter().map(fixed).collect(),
            metrics,
        }
    }

    /// The answer, or what the route has in its place when it failed and the request was a read.
    pub fn or(
        &self,
        answer: Result<HttpResponse, Error>,
        route: &Route,
        method: &str,
    ) -> Result<HttpResponse, Error> {
        let failed = match &answer {
            Ok(answer) => answer.status().is_server_error(),
            Err(error) => error.facts().origin != Origin::Client,
        };
        match route
            .fallback
            .as_ref()
            .filter(|_| failed && matches!(method, "GET" | "HEAD"))
        {
            Some(name) => Ok(self.fixed(name, route)),
            None => answer,
        }
    }

    fn fixed(&self, name: &str, route: &Route) -> HttpResponse {
        let fixed = self
            .fixed
            .get(name)
            .expect("the configuration was checked: every route's fallback exists");
        self.metrics.fell_back(&route.template, "static");
        let mut answer = HttpResponse::build(StatusCode::OK);
        answer.insert_header((CONTENT_TYPE, fixed.content_type.clone()));
        answer.insert_header((X_GATEWAY_FALLBACK, HeaderValue::from_static("static")));
        answer.body(fixed.body.clone())
    }
}
