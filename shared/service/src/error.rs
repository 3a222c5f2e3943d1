//! One error for every handler: a public problem (RFC 9457) and a private cause.
//!
//! The client sees a stable `code`, a sentence and, for bad input, the field. The cause is logged
//! once, here, at the boundary, and never sent. What is retryable is the gateway's to say.

use crate::{deadline, store};
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;
use utoipa::ToSchema;

/// Media type of every error body.
pub const PROBLEM_JSON: &str = "application/problem+json";
/// What a client of a busy or missing part is told to wait when nothing better is known.
const DEFAULT_WAIT: Duration = Duration::from_secs(1);

/// What a handler answers when it cannot do what was asked.
#[derive(Debug)]
pub struct Error(Box<Parts>);

/// Boxed, so that every `Result` on the way stays one word large.
#[derive(Debug)]
struct Parts {
    status: StatusCode,
    code: Cow<'static, str>,
    detail: String,
    field: Option<String>,
    retry_after: Option<Duration>,
    headers: Vec<(HeaderName, HeaderValue)>,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Why something was not done: RFC 9457 with `code` and, for bad input, `field`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    /// Stable: programs may rely on it.
    code: &'a str,
    /// For people; its words may change.
    detail: &'a str,
    /// What was wrong in the path, the query or the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

impl Error {
    /// An answer with this status and stable code. A status that is no error becomes 500.
    pub fn new(status: u16, code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(status)
            .ok()
            .filter(|status| status.is_client_error() || status.is_server_error())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self(Box::new(Parts {
            status,
            code: code.into(),
            detail: detail.into(),
            field: None,
            retry_after: None,
            headers: Vec::new(),
            cause: None,
        }))
    }

    /// 400 `invalid_field`.
    pub fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(400, "invalid_field", detail).field(field)
    }

    /// 404 `not_found`.
    pub fn not_found(what: &str, id: impl fmt::Display) -> Self {
        Self::new(404, "not_found", format!("there is no {what} {id}"))
    }

    /// 409 with a code of the caller's.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(409, code, detail)
    }

    /// 422 with a code of the caller's.
    pub fn unprocessable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(422, code, detail)
    }

    /// 503 with a code of the caller's and `Retry-After: 1`.
    pub fn unavailable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(503, code, detail).retry_after(DEFAULT_WAIT)
    }

    /// 500 `internal`; the cause is for the log only.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(500, "internal", "something went wrong on our side").cause(cause)
    }

    /// Names the field that is wrong.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.0.field = Some(field.into());
        self
    }

    /// Tells the client when to come back; sent in whole seconds, rounded up.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// Keeps the cause for the log.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The status as a number.
    pub fn status(&self) -> u16 {
        self.0.status.as_u16()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.detail)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.cause.as_deref().map(|cause| cause as _)
    }
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        self.0.status
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        if let Some(cause) = &self.0.cause {
            tracing::error!(code = %self.0.code, status = self.0.status.as_u16(), cause = %cause, "request failed");
        }
        let problem = Problem {
            kind: format!("urn:lictor:problem:{}", self.0.code),
            title: self.0.status.canonical_reason().unwrap_or("Error"),
            status: self.0.status.as_u16(),
            code: &self.0.code,
            detail: &self.0.detail,
            field: self.0.field.as_deref(),
        };
        let body = serde_json::to_vec(&problem).expect("a problem is plain data");
        let mut response = HttpResponse::build(self.0.status);
        response.insert_header((CONTENT_TYPE, PROBLEM_JSON));
        if let Some(wait) = self.0.retry_after {
            response.insert_header((RETRY_AFTER, whole_seconds(wait).to_string()));
        }
        for header in &self.0.headers {
            response.append_header(header.clone());
        }
        response.body(body)
    }
}

/// `Retry-After` speaks whole seconds: rounded up, so that who waits as told is not refused again.
pub fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if store::is_out_of_time(&error) {
            return deadline::exceeded();
        }
        let busy = match &error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => true,
            sqlx::Error::Database(database) => is_busy(database.message()),
            _ => false,
        };
        if busy {
            return Self::unavailable("store_unavailable", "the store is busy").cause(error);
        }
        Self::internal(error)
    }
}

impl From<upstream::Error> for Error {
    /// What went wrong behind this service is told as it was found: code, status, field and wait.
    fn from(error: upstream::Error) -> Self {
        let mut told = Self::new(error.status, error.code, error.detail);
        told.0.field = error.field;
        told.0.retry_after = error.retry_after;
        told
    }
}

/// SQLite's words for a lock that was not had within the busy timeout.
pub(crate) fn is_busy(message: &str) -> bool {
    message.contains("database is locked") || message.contains("database table is locked")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use actix_web::body::to_bytes;

    #[actix_web::test]
    async fn a_bad_field_is_a_problem_that_names_it() {
        let response = Error::invalid("email", "must contain one @").error_response();
        assert_eq!(response.status(), 400);
        assert_eq!(response.headers().get(CONTENT_TYPE).unwrap(), PROBLEM_JSON);
        let body = to_bytes(response.into_body()).await.unwrap();
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem["type"], "urn:lictor:problem:invalid_field");
        assert_eq!(problem["field"], "email");
    }

    #[actix_web::test]
    async fn a_private_cause_is_never_sent() {
        let response = Error::internal("password=hunter2").error_response();
        let body = to_bytes(response.into_body()).await.unwrap();
        assert!(!String::from_utf8_lossy(&body).contains("hunter2"));
    }

    #[test]
    fn a_wait_is_rounded_up_to_whole_seconds() {
        assert_eq!(whole_seconds(Duration::from_millis(1)), 1);
        assert_eq!(whole_seconds(Duration::from_millis(2000)), 2);
        assert_eq!(whole_seconds(Duration::from_millis(2001)), 3);
    }

    #[test]
    fn a_full_pool_is_503_not_500() {
        assert_eq!(Error::from(sqlx::Error::PoolTimedOut).status(), 503);
    }
}
