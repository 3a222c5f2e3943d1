//! awc, with its traps closed.
//!
//! Its connection pool is keyed by the URI's authority, so that is the instance's address, and
//! `Host` says the same. It ends a cut body like a whole one, so lengths are compared and JSON
//! has to parse. Its limit of 100 connections queues what comes on top; it is off, the upstream's own
//! places refuse instead. It follows redirects and waits 5 s by default; both are off, the deadline rules.

use super::request::Prepared;
use crate::config::PoolConfig;
use crate::error::{Error, Origin};
use actix_web::http::Uri;
use actix_web::http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, RETRY_AFTER};
use actix_web::web::Bytes;
use awc::error::{ConnectError, SendRequestError};
use resilience::classify::Outcome;
use resilience::deadline::REQUEST_TIMEOUT_MS;
use serde::Deserialize;
use std::borrow::Cow;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

/// Answers of ours are kilobytes; more is a mistake that must not fill the memory.
const MOST_BODY: usize = 1 << 20;
/// Shorter than the services keep idle connections (75 s), so that the side that reuses closes first.
const KEEP_IDLE: Duration = Duration::from_secs(30);

#[derive(Clone)]
pub(super) struct Transport(awc::Client);

/// A whole answer.
pub(super) struct Answer {
    pub status: u16,
    pub retry_after: Option<Duration>,
    pub draining: bool,
    pub body: Bytes,
}

/// No whole answer.
pub(super) enum Trouble {
    /// The call was made wrongly.
    Unsendable(String),
    /// Nobody listens.
    Refused,
    /// No connection within its own timeout, all of which there was.
    Unconnected,
    /// No answer within the call's time.
    Late,
    /// The connection broke, or the answer was cut.
    Broken(String),
    /// The answer cannot be read.
    Senseless(String),
}

/// What an upstream of ours says when it refuses.
#[derive(Deserialize)]
struct Problem {
    code: String,
    detail: Option<String>,
    field: Option<String>,
}

impl Transport {
    pub(super) fn new(config: &PoolConfig) -> Self {
        let connector = awc::Connector::new()
            .timeout(config.connect_timeout())
            .conn_keep_alive(KEEP_IDLE)
            .limit(0);
        let client = awc::Client::builder()
            .connector(connector)
            .disable_timeout()
            .disable_redirects()
            .no_default_headers()
            .finish();
        Self(client)
    }

    pub(super) async fn exchange(
        &self,
        request: &Prepared,
        address: SocketAddr,
        trace: Vec<(&'static str, String)>,
        time_left_ms: Option<u64>,
    ) -> Result<Answer, Trouble> {
        let uri = Uri::builder()
            .scheme("http")
            .authority(address.to_string())
            .path_and_query(request.path.as_str())
            .build()
            .map_err(|error| Trouble::Unsendable(error.to_string()))?;
        let mut outgoing = self.0.request(request.method.clone(), uri).no_decompress();
        outgoing = outgoing.insert_header((HOST, address.to_string()));
        for header in trace {
            outgoing = outgoing.insert_header(header);
        }
        if let Some(millis) = time_left_ms {
            outgoing = outgoing.insert_header((REQUEST_TIMEOUT_MS, millis.to_string()));
        }
        if let Some(subject) = &request.subject {
            outgoing = outgoing.insert_header(("x-auth-subject", subject.as_str()));
        }
        if let Some(scopes) = &request.scopes {
            outgoing = outgoing.insert_header(("x-auth-scopes", scopes.as_str()));
        }
        if let Some(key) = &request.key {
            outgoing = outgoing.insert_header(("idempotency-key", key.as_str()));
        }
        let sent = match &request.body {
            Some(body) => outgoing
                .insert_header((CONTENT_TYPE, "application/json"))
                .send_body(body.clone()),
            None => outgoing.send(),
        };
        let mut response = sent.await.map_err(Trouble::from)?;
        let declared =
            header(&response, CONTENT_LENGTH).and_then(|text| text.parse::<usize>().ok());
        let draining = header(&response, CONNECTION)
            .is_some_and(|value| value.eq_ignore_ascii_case("close"))
            && response
                .headers()
                .get("x-service-draining")
                .is_some_and(|value| value == "1");
        let body = response
            .body()
            .limit(MOST_BODY)
            .await
            .map_err(|error| Trouble::Broken(error.to_string()))?;
        if declared.is_some_and(|declared| declared != body.len()) {
            return Err(Trouble::Broken("the answer was cut".to_owned()));
        }
        let retry_after = header(&response, RETRY_AFTER)
            .and_then(|text| text.parse().ok())
            .map(Duration::from_secs);
        Ok(Answer {
            status: response.status().as_u16(),
            retry_after,
            draining,
            body,
        })
    }
}

fn header<S>(
    response: &awc::ClientResponse<S>,
    name: actix_web::http::header::HeaderName,
) -> Option<&str> {
    response.headers().get(name)?.to_str().ok()
}

impl Answer {
    pub(super) fn outcome(&self) -> Outcome {
        Outcome::Answered {
            status: self.status,
            retry_after: self.retry_after,
        }
    }

    /// 2xx as it is; anything else as the error that it describes.
    pub(super) fn judged(self, upstream: &str) -> Result<Self, Error> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        let problem = serde_json::from_slice::<Problem>(&self.body).ok();
        let (code, detail, field) = match problem {
            Some(Problem {
                code,
                detail,
                field,
            }) => (Cow::Owned(code), detail, field),
            None => (Cow::Borrowed("upstream_error"), None, None),
        };
        Err(Error {
            origin: Origin::Upstream,
            code,
            status: self.status,
            written: true,
            retry_after: self.retry_after,
            detail: detail.unwrap_or_else(|| format!("{upstream} answered {}", self.status)),
            field,
        })
    }
}

impl Trouble {
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Unsendable(_) => Outcome::NotSent,
            Self::Refused => Outcome::ConnectRefused,
            Self::Unconnected => Outcome::ConnectTimeout,
            Self::Late => Outcome::AttemptTimeout,
            Self::Broken(_) => Outcome::Reset,
            Self::Senseless(_) => Outcome::Answered {
                status: 502,
                retry_after: None,
            },
        }
    }

    /// Whether the upstream may have seen something of the call.
    pub(super) fn written(&self) -> bool {
        !self.nothing_written() && !matches!(self, Self::Unsendable(_))
    }

    /// Whether there was no connection, so that the call can be made elsewhere.
    pub(super) fn nothing_written(&self) -> bool {
        matches!(self, Self::Refused | Self::Unconnected)
    }

    pub(super) fn error_type(&self) -> &'static str {
        match self {
            Self::Unsendable(_) => "not_sent",
            Self::Refused => "connection_refused",
            Self::Unconnected | Self::Late => "timeout",
            Self::Broken(_) => "reset",
            Self::Senseless(_) => "bad_answer",
        }
    }
}

impl From<SendRequestError> for Trouble {
    fn from(error: SendRequestError) -> Self {
        match error {
            SendRequestError::Connect(ConnectError::Io(error))
                if error.kind() == ErrorKind::ConnectionRefused =>
            {
                Self::Refused
            }
            SendRequestError::Connect(ConnectError::Timeout) => Self::Unconnected,
            SendRequestError::Timeout => Self::Late,
            SendRequestError::Url(error) => Self::Unsendable(error.to_string()),
            SendRequestError::Http(error) => Self::Unsendable(error.to_string()),
            SendRequestError::Response(error) => Self::Senseless(error.to_string()),
            other => Self::Broken(other.to_string()),
        }
    }
}
