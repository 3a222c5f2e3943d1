//! An error as the client reads it: `application/problem+json`, a sentence, and the headers that belong to its status.

use actix_web::{
    HttpResponse, ResponseError as _,
    body::{BoxBody, MessageBody as _},
    http::{
        ConnectionType,
        header::{ALLOW, HeaderValue, WWW_AUTHENTICATE},
    },
};

use super::parting::Parting;
use crate::{error::Error, forward::upload::Source, path};

impl Error {
    /// The problem document; `source` is what may be left of the request's body.
    pub fn to_response(&self, source: &Source) -> HttpResponse {
        let facts = self.facts();
        let mut problem = service::Error::new(facts.status, facts.code, self.detail());
        if let Some(wait) = facts.retry_after {
            problem = problem.retry_after(wait);
        }
        for challenge in self.challenges() {
            let challenge = HeaderValue::try_from(challenge).expect("it was checked to be visible");
            problem = problem.header(WWW_AUTHENTICATE, challenge);
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
                .set_connection_type(ConnectionType::Close);
            return response.map_body(|_, body| part(body, source));
        }
        response
    }

    /// How to come in, for who was not let in (RFC 9110, 11.6.1; RFC 6750, 3).
    fn challenges(&self) -> Vec<String> {
        match self {
            Self::Credentials(refused) => refused.challenges(),
            Self::Scope { needed } => vec![format!(
                "Bearer realm=\"lictor\", error=\"insufficient_scope\", scope=\"{needed}\""
            )],
            _ => Vec::new(),
        }
    }

    /// One sentence for the client.
    fn detail(&self) -> String {
        match self {
            Self::Path(path::Refused(reason)) | Self::Header(reason) | Self::Host(reason) => {
                (*reason).to_owned()
            }
            Self::Upgrade => "no route here speaks another protocol".into(),
            Self::BodyBroken => "the body does not end as its head announced".into(),
            Self::UriTooLong => "the request target is too long".into(),
            Self::HeadTooLarge => "the head has too many headers or too many bytes".into(),
            Self::BodyTooLarge { limit } => format!("this route takes at most {limit} bytes"),
            Self::BodyTooSlow => "the body came too slowly".into(),
            Self::ClientLeft => "the client closed the connection".into(),
            Self::Loop => "this request has passed through here before".into(),
            Self::NoRoute => "no route has this path".into(),
            Self::Method { allow } => format!("this path takes {allow}"),
            Self::Credentials(refused) => refused.detail().into(),
            Self::Scope { needed } => format!("one of the scopes is missing: {needed}"),
            Self::Limited { group, .. } => format!("the limit of {group} is used up"),
            Self::Maintenance { .. } => "this route is closed for maintenance".into(),
            Self::Shed => "the gateway is full".into(),
            Self::Upstream(error) => error.detail.clone(),
        }
    }
}

fn part(body: BoxBody, source: &Source) -> BoxBody {
    match body.try_into_bytes() {
        Ok(bytes) => BoxBody::new(Parting::new(bytes, source.clone())),
        Err(body) => body,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::{pin::Pin, time::Duration};

    use super::*;
    use crate::auth;

    async fn said(error: Error) -> (actix_web::http::header::HeaderMap, serde_json::Value) {
        let response = error.to_response(&Source::none());
        let headers = response.headers().clone();
        let mut body = response.into_body();
        // The first part is all of it; some bodies have no end.
        let first = std::future::poll_fn(|cx| Pin::new(&mut body).poll_next(cx)).await;
        (
            headers,
            serde_json::from_slice(&first.unwrap().unwrap()).unwrap(),
        )
    }

    #[actix_web::test]
    async fn every_error_is_a_problem_with_a_stable_code() {
        let wait = Duration::from_millis(1200);
        for (error, status, code) in [
            (Error::Path(path::Refused("x")), 400, "bad_path"),
            (
                Error::Credentials(auth::Refused::Missing(auth::Access::Any)),
                401,
                "credentials_missing",
            ),
            (
                Error::Credentials(auth::Refused::WrongKey),
                401,
                "credentials_wrong",
            ),
            (
                Error::Credentials(auth::Refused::Doubled),
                400,
                "credentials_doubled",
            ),
            (
                Error::Credentials(auth::Refused::Expired),
                401,
                "token_expired",
            ),
            (
                Error::Credentials(auth::Refused::KeysUnavailable),
                503,
                "keys_unavailable",
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
            (Error::Maintenance { retry_after: wait }, 503, "maintenance"),
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
                matches!(status, 401 | 403),
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
