//! Where a request goes, and on what terms.
//!
//! Each route has a path pattern, methods, and either an upstream service or an aggregate of the gateway's own.
//! An upstream's pattern is a prefix on a segment boundary, an aggregate's is the whole path; which route wins is `route/table.rs`'s.
//! A route stays whatever the state of its upstream: an unavailable service is 503, never 404 and never somebody else's route.

pub mod keeping;
pub mod method;
pub mod pattern;
pub mod table;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Deserialize;
use service::BadValue;
use upstream::Deadline;

use self::{keeping::Answers, method::Methods, pattern::Pattern};
use crate::auth::Access;

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
    /// What may answer a GET when the upstream cannot, in this order.
    #[serde(default)]
    pub fallbacks: Vec<String>,
    /// Whom an answer is for: the caller alone, unless it says otherwise.
    #[serde(default)]
    pub answers: Answers,
    /// The last good answer to a GET stands in, before the fallbacks, while it is no older; 0: none is kept.
    #[serde(default)]
    pub last_good_ms: u64,
    /// Identical GETs at the same time share one upstream call.
    #[serde(default)]
    pub coalesce: bool,
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
    Openapi,
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
    pub fallbacks: Vec<Arc<str>>,
    pub answers: Answers,
    pub last_good: Option<Duration>,
    pub coalesce: bool,
    pub priority: Priority,
    pub pattern: Pattern,
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

impl Route {
    /// A route of the table; one that could never work is refused with its key.
    pub fn build(name: &str, configured: &RouteConfig) -> Result<Self, BadValue> {
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
        let pattern =
            match Pattern::parse(&configured.path, matches!(target, Target::Upstream { .. })) {
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
        keeping::check(name, configured)?;
        Ok(Self {
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
            fallbacks: configured
                .fallbacks
                .iter()
                .map(|name| name.as_str().into())
                .collect(),
            answers: configured.answers,
            last_good: (configured.last_good_ms > 0)
                .then_some(Duration::from_millis(configured.last_good_ms)),
            coalesce: configured.coalesce,
            priority: configured.priority,
            pattern,
        })
    }
}

impl Route {
    /// Whether answers are given again, to others or later.
    pub fn keeps(&self) -> bool {
        self.coalesce || self.last_good.is_some()
    }

    /// The end of the total time of a request that came at `started`.
    pub fn deadline(&self, started: Instant) -> Deadline {
        Deadline::after(started, self.timeout)
    }
}
