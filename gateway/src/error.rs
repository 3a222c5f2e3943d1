//! Everything that can stop a request here: whose doing it is, the status, a stable code, and whether trying again makes sense.
//!
//! One `match` says all of that, one conversion makes the problem document.
//! An answer of an upstream, whatever its status, is not an error of the gateway and passes through.

use std::{borrow::Cow, sync::Arc, time::Duration};

use actix_web::{
    HttpResponse, ResponseError as _,
    http::header::{ALLOW, CONNECTION, HeaderValue, WWW_AUTHENTICATE},
};

use crate::{auth, path};

/// Why a request got no answer from where it was going.
#[derive(Debug)]
pub enum Error {
    /// The path or the query has more than one reading, or none.
    Path(path::Refused),
    /// A header is malformed or says what it may not.
    Header(&'static str),
    /// `Host` is missing, doubled, or disagrees with the target.
    Host(&'static str),
    /// Another protocol was asked for.
    Upgrade,
    /// The body's framing broke while it was read.
    BodyFraming,
    UriTooLong,
    HeadTooLarge,
    BodyTooLarge {
        limit: u64,
    },
    /// The client sent its body too slowly.
    BodyTooSlow,
    /// The client left before its request was whole.
    ClientLeft,
    /// The request has been through this gateway already.
    Loop,
    NoRoute,
    Method {
        allow: String,
    },
    Credentials(auth::Refused),
    Scope {
        needed: String,
    },
    Limited {
        group: Arc<str>,
        retry_after: Duration,
    },
    /// The gateway itself is full.
    Shed,
    /// An upstream, or the way to it, failed.
    Upstream(upstream::Error),
}

/// Whose doing an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Client,
    Gateway,
    Upstream,
}

/// What the outside learns of an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub origin: Origin,
    pub status: u16,
    /// Stable: clients and dashboards may rely on it.
    pub code: Cow<'static, str>,
    /// The same request may succeed later.
    pub retryable: bool,
    pub retry_after: Option<Duration>,
    /// What follows on the connection cannot be trusted to be a request.
    pub close: bool,
}

/// A full gateway is asked again after this.
const SHED_WAIT: Duration = Duration::from_secs(1);

impl Error {
    /// The one place that says what each error means.
    pub fn facts(&self) -> Facts {
        let client = |status, code| Facts {
            origin: Origin::Client,
            status,
            code: Cow::Borrowed(code),
            retryable: false,
            retry_after: None,
            close: false,
        };
        let ambiguous = |status, code| Facts {
            close: true,
            ..client(status, code)
        };
        match self {
            Self::Path(_) => client(400, "bad_path"),
            Self::Header(_) => ambiguous(400, "bad_header"),
            Self::Host(_) => ambiguous(400, "bad_host"),
            Self::Upgrade => ambiguous(400, "upgrade_not_supported"),
            Self::BodyFraming => ambiguous(400, "bad_body_framing"),
            Self::UriTooLong => ambiguous(414, "uri_too_long"),
            Self::HeadTooLarge => ambiguous(431, "head_too_large"),
            Self::BodyTooLarge { .. } => ambiguous(413, "body_too_large"),
            Self::BodyTooSlow => ambiguous(408, "body_too_slow"),
            Self::ClientLeft => ambiguous(499, "client_left"),
            Self::Loop => client(508, "loop_detected"),
            Self::NoRoute => client(404, "no_route"),
            Self::Method { .. } => client(405, "method_not_allowed"),
            Self::Credentials(auth::Refused::Doubled) => client(400, auth::Refused::Doubled.code()),
            Self::Credentials(refused) => client(401, refused.code()),
            Self::Scope { .. } => client(403, "scope_missing"),
            Self::Limited { retry_after, .. } => Facts {
                retryable: true,
                retry_after: Some(*retry_after),
                ..client(429, "rate_limited")
            },
            Self::Shed => Facts {
                origin: Origin::Gateway,
                retryable: true,
                retry_after: Some(SHED_WAIT),
                ..client(503, "gateway_overloaded")
            },
            Self::Upstream(error) => Facts {
                origin: origin(error),
                status: error.status,
                code: error.code.clone(),
                retryable: error.retryable,
                retry_after: error.retry_after,
                close: false,
            },
        }
    }

    /// One sentence for the client.
    fn detail(&self) -> String {
        match self {
            Self::Path(path::Refused(reason)) | Self::Header(reason) | Self::Host(reason) => {
                (*reason).to_owned()
            }
            Self::Upgrade => "no route here speaks another protocol".into(),
            Self::BodyFraming => "the body does not end as its head announced".into(),
            Self::UriTooLong => "the request target is too long".into(),
            Self::HeadTooLarge => "the head has too many headers or too many bytes".into(),
            Self::BodyTooLarge { limit } => format!("this route takes at most {limit} bytes"),
            Self::BodyTooSlow => "the body came too slowly".into(),
            Self::ClientLeft => "the client closed the connection".into(),
            Self::Loop => "this request has passed through here before".into(),
            Self::NoRoute => "no route has this path".into(),
            Self::Method { allow } => format!("this path takes {allow}"),
            Self::Credentials(auth::Refused::Missing) => {
                "this route wants an API key in X-API-Key".into()
            }
            Self::Credentials(auth::Refused::Wrong) => "the API key is not known".into(),
            Self::Credentials(auth::Refused::Doubled) => "send one credential".into(),
            Self::Scope { needed } => format!("the key lacks one of the scopes: {needed}"),
            Self::Limited { group, .. } => format!("the limit of {group} is used up"),
            Self::Shed => "the gateway is full".into(),
            Self::Upstream(error) => error.detail.clone(),
        }
    }

    /// The code where a closed set is needed: in metrics and spans.
    pub fn label(&self) -> &'static str {
        match self.facts().code {
            Cow::Borrowed(code) => code,
            // An upstream's own word, passed on by an aggregate.
            Cow::Owned(_) => "upstream_error",
        }
    }

    /// The problem document.
    pub fn to_response(&self) -> HttpResponse {
        let facts = self.facts();
        let mut problem = service::Error::new(facts.status, facts.code, self.detail());
        if let Some(wait) = facts.retry_after {
            problem = problem.retry_after(wait);
        }
        if facts.status == 401 {
            problem = problem.header(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("ApiKey realm=\"lictor\", header=\"X-API-Key\""),
            );
        }
        if let Self::Method { allow } = self {
            problem = problem.header(
                ALLOW,
                HeaderValue::from_str(allow).expect("method names are tokens"),
            );
        }
        let mut response = problem.error_response();
        if facts.close {
            response
                .head_mut()
                .set_connection_type(actix_web::http::ConnectionType::Close);
            response.headers_mut().remove(CONNECTION);
        }
        response
    }
}

fn origin(error: &upstream::Error) -> Origin {
    match error.origin {
        upstream::Origin::Own => Origin::Gateway,
        upstream::Origin::Upstream if error.status < 500 => Origin::Client,
        upstream::Origin::Upstream | upstream::Origin::Transport => Origin::Upstream,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use actix_web::body::to_bytes;

    use super::*;

    async fn said(error: Error) -> (actix_web::http::header::HeaderMap, serde_json::Value) {
        let response = error.to_response();
        let headers = response.headers().clone();
        (
            headers,
            serde_json::from_slice(&to_bytes(response.into_body()).await.unwrap()).unwrap(),
        )
    }

    #[actix_web::test]
    async fn every_error_is_a_problem_with_a_stable_code() {
        let wait = Duration::from_millis(1200);
        for (error, status, code) in [
            (Error::Path(path::Refused("x")), 400, "bad_path"),
            (
                Error::Credentials(auth::Refused::Missing),
                401,
                "credentials_missing",
            ),
            (
                Error::Credentials(auth::Refused::Wrong),
                401,
                "credentials_wrong",
            ),
            (
                Error::Credentials(auth::Refused::Doubled),
                400,
                "credentials_doubled",
            ),
            (Error::Scope { needed: "a".into() }, 403, "scope_missing"),
            (Error::NoRoute, 404, "no_route"),
            (Error::BodyTooSlow, 408, "body_too_slow"),
            (Error::BodyTooLarge { limit: 1 }, 413, "body_too_large"),
            (
                Error::Limited {
                    group: "users".into(),
                    retry_after: wait,
                },
                429,
                "rate_limited",
            ),
            (Error::Shed, 503, "gateway_overloaded"),
            (Error::Loop, 508, "loop_detected"),
            (
                Error::Upstream(upstream::Error::circuit_open("users", wait)),
                503,
                "circuit_open",
            ),
            (
                Error::Upstream(upstream::Error::no_endpoint("users", wait)),
                503,
                "no_endpoint",
            ),
            (
                Error::Upstream(upstream::Error::timeout("users")),
                504,
                "upstream_timeout",
            ),
            (
                Error::Upstream(upstream::Error::unreachable("users", "reset")),
                502,
                "upstream_unreachable",
            ),
        ] {
            let waits = error.facts().retry_after.is_some();
            let (headers, problem) = said(error).await;
            assert_eq!(
                headers.get("content-type").unwrap(),
                "application/problem+json"
            );
            assert_eq!(
                (problem["status"].as_u64(), problem["code"].as_str()),
                (Some(status), Some(code))
            );
            assert_eq!(
                headers.contains_key("www-authenticate"),
                status == 401,
                "{code}"
            );
            assert_eq!(headers.contains_key("retry-after"), waits, "{code}");
            assert!(
                !matches!(status, 429 | 503) || waits,
                "{code} must say when to come back"
            );
        }
    }

    #[actix_web::test]
    async fn a_wait_is_told_in_whole_seconds_rounded_up() {
        let (headers, _) = said(Error::Limited {
            group: "users".into(),
            retry_after: Duration::from_millis(1200),
        })
        .await;
        assert_eq!(headers.get("retry-after").unwrap(), "2");
    }

    #[actix_web::test]
    async fn a_wrong_method_lists_the_right_ones() {
        let (headers, _) = said(Error::Method {
            allow: "GET, HEAD".into(),
        })
        .await;
        assert_eq!(headers.get("allow").unwrap(), "GET, HEAD");
    }
}
