//! One JSON call, as its caller describes it.

use super::Client;
use super::transport::Answer;
use crate::error::Error;
use crate::lease::Lease;
use actix_web::http::Method;
use resilience::deadline::Deadline;
use resilience::retry::Retry;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// A call that is being described; nothing is sent before `send`.
#[must_use = "nothing is sent before send()"]
pub struct Request<'a> {
    client: &'a Client,
    prepared: Prepared,
    broken: Option<serde_json::Error>,
    tell: Option<&'a dyn Fn(Made<'_>)>,
}

/// What became of one attempt of a call.
pub struct Made<'a> {
    /// Where it went, and why there.
    pub lease: &'a Lease,
    /// The status, or the kind of failure.
    pub ended: Result<u16, &'static str>,
    /// To the whole answer.
    pub took: Duration,
    /// Why it was the last one; none where another follows.
    pub last: Option<&'static str>,
}

/// A described call.
pub(super) struct Prepared {
    pub method: Method,
    pub path: String,
    pub subject: Option<String>,
    pub scopes: Option<String>,
    pub key: Option<String>,
    pub repeatable: bool,
    pub deadline: Option<Deadline>,
    pub late: bool,
    pub timeout: Option<Duration>,
    pub retry: Option<Retry>,
    pub body: Option<Vec<u8>>,
}

impl Prepared {
    /// Whether the upstream may meet this call twice without harm.
    pub(super) fn idempotent(&self) -> bool {
        self.repeatable || self.method != Method::POST || self.key.is_some()
    }
}

impl<'a> Request<'a> {
    pub(super) fn new(client: &'a Client, method: Method, path: String) -> Self {
        let prepared = Prepared {
            method,
            path,
            subject: None,
            scopes: None,
            key: None,
            repeatable: false,
            deadline: None,
            late: false,
            timeout: None,
            retry: None,
            body: None,
        };
        Self {
            client,
            prepared,
            broken: None,
            tell: None,
        }
    }

    /// The answer is of no use after this.
    pub fn deadline(mut self, deadline: Deadline) -> Self {
        self.prepared.deadline = Some(deadline);
        self
    }

    /// Whether so much had been lost before the call that running out of its deadline is nobody's failure, whoever had no
    /// more to give.
    pub fn too_late(mut self, late: bool) -> Self {
        self.prepared.late = late;
        self
    }

    /// This call may take so long, whatever is configured: nobody waits for it.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.prepared.timeout = Some(timeout);
        self
    }

    /// On whose behalf, as the gateway said.
    pub fn subject(mut self, subject: Option<&str>) -> Self {
        self.prepared.subject = subject.map(str::to_owned);
        self
    }

    /// What whoever it is for was granted, as the gateway said.
    pub fn scopes(mut self, scopes: Option<&str>) -> Self {
        self.prepared.scopes = scopes.map(str::to_owned);
        self
    }

    /// A call that failed is made again by this rule, out of the upstream's budget. For the gateway alone: nested
    /// retries multiply.
    pub fn retried_by(mut self, rule: &Retry) -> Self {
        self.prepared.retry = Some(rule.clone());
        self
    }

    /// The upstream knows this call again by what is in it, so meeting it twice does no harm: it may
    /// test an endpoint that was ejected.
    pub fn idempotent(mut self) -> Self {
        self.prepared.repeatable = true;
        self
    }

    /// Each attempt is told to this, once it is over.
    pub fn telling(mut self, tell: &'a dyn Fn(Made<'_>)) -> Self {
        self.tell = Some(tell);
        self
    }

    /// The name of this unit of work, so that it runs once.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.prepared.key = Some(key.into());
        self
    }

    /// The body.
    pub fn json<T: Serialize + ?Sized>(mut self, body: &T) -> Self {
        match serde_json::to_vec(body) {
            Ok(bytes) => self.prepared.body = Some(bytes),
            Err(error) => self.broken = Some(error),
        }
        self
    }

    /// Calls, and reads the answer as `T`.
    ///
    /// # Errors
    /// [`Error`] says where it failed; an error answer of the upstream keeps its code and status.
    pub async fn send<T: DeserializeOwned>(self) -> Result<T, Error> {
        let upstream = self.client.pool().name();
        let answer = self.answer().await?;
        serde_json::from_slice(&answer.body).map_err(|error| Error::bad_answer(upstream, error))
    }

    /// Calls, and reads only whether it succeeded.
    ///
    /// # Errors
    /// As for [`Request::send`].
    pub async fn send_empty(self) -> Result<(), Error> {
        self.answer().await.map(|_| ())
    }

    async fn answer(self) -> Result<Answer, Error> {
        if let Some(error) = self.broken {
            return Err(Error::not_sendable(self.client.pool().name(), error));
        }
        self.client.run(self.prepared, self.tell).await
    }
}
