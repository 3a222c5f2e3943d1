//! The client of a Consul agent: the few calls that registration and the watch need, over HTTP.
//!
//! Every call has a limit for the whole of it, body included, and a cap on the body; every status other than 200 is an
//! error.
//! Redirects are not followed, because the token would travel with them.
//! When to call, and what to make of an answer, is decided elsewhere.
//! An `Agent` belongs to the thread that made it.

mod keys;
mod read;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use actix_web::web::Bytes;
use awc::http::StatusCode;
use awc::http::header::{HeaderMap, HeaderValue};
use awc::{Client, ClientRequest, Connector};
use serde::de::DeserializeOwned;

use crate::answer::{Answer, Instance};
use crate::config::{AgentConfig, InvalidConfig};
use crate::definition::{AgentService, Definition};
use crate::error::Error;
use crate::networks::Networks;
use crate::token::Token;

pub(crate) use keys::{Listing, slashed};
pub use read::{Consistency, Read};

/// A client of one agent; clones share connections and token.
#[derive(Clone)]
pub struct Agent {
    inner: Rc<Inner>,
}

struct Inner {
    client: Client,
    base: String,
    token: Token,
    networks: Networks,
}

struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// A neighbour that does not take a connection in this time is not there.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// The whole of a call that does not block.
const CALL_LIMIT: Duration = Duration::from_secs(5);
/// Thousands of instances fit; a body that never ends does not.
const BODY_LIMIT: usize = 8 * 1024 * 1024;
/// Idle connections live over the gap between two rounds of reconciling.
const IDLE_LIMIT: Duration = Duration::from_secs(30);

// ---

impl Agent {
    /// A client of the configured agent. Nothing is sent yet: the agent need not be there.
    ///
    /// # Errors
    ///
    /// The key and the value that cannot work: an address that is none, a token file that cannot be read.
    pub fn new(config: &AgentConfig) -> Result<Self, InvalidConfig> {
        let connector = Connector::new()
            .timeout(CONNECT_LIMIT)
            .conn_keep_alive(IDLE_LIMIT);
        let client = Client::builder()
            .connector(connector)
            .disable_timeout()
            .disable_redirects()
            .finish();
        let inner = Inner {
            client,
            base: config.address()?.base,
            token: Token::load(config.token_file.as_deref())?,
            networks: config.networks()?,
        };
        Ok(Self {
            inner: Rc::new(inner),
        })
    }

    /// Registers a service with its check, replacing what the agent knew under that id.
    ///
    /// # Errors
    ///
    /// Whenever the agent has not confirmed it.
    pub async fn register(&self, definition: &Definition) -> Result<(), Error> {
        let request = self.put("/v1/agent/service/register?replace-existing-checks=true");
        self.call(request, Some(definition), CALL_LIMIT)
            .await
            .map(drop)
    }

    /// Removes a service; one that the agent does not know is removed already.
    ///
    /// # Errors
    ///
    /// Whenever the agent has not confirmed it.
    pub async fn deregister(&self, id: &str) -> Result<(), Error> {
        let request = self.put(&format!("/v1/agent/service/deregister/{}", escaped(id)));
        found(self.call(request, None, CALL_LIMIT).await).map(drop)
    }

    /// A service as the agent knows it; `None` when it does not.
    ///
    /// # Errors
    ///
    /// Whenever the agent has not answered the question.
    pub async fn service(&self, id: &str) -> Result<Option<AgentService>, Error> {
        let request = self.get(&format!("/v1/agent/service/{}", escaped(id)));
        let reply = found(self.call(request, None, CALL_LIMIT).await)?;
        reply.map(|reply| parsed(&reply.body)).transpose()
    }

    /// The services of this agent that match a filter expression; an empty one matches all.
    ///
    /// # Errors
    ///
    /// Whenever the agent has not answered the question.
    pub async fn services(&self, filter: &str) -> Result<Vec<AgentService>, Error> {
        let request = self.get(&format!("/v1/agent/services?filter={}", escaped(filter)));
        let reply = self.call(request, None, CALL_LIMIT).await?;
        let services: BTreeMap<String, AgentService> = parsed(&reply.body)?;
        Ok(services.into_values().collect())
    }

    /// The instances of a service, healthy or not.
    ///
    /// # Errors
    ///
    /// Whenever there is no complete answer of status 200; the caller keeps what it knows.
    pub async fn health(&self, service: &str, read: &Read) -> Result<Answer, Error> {
        let request = self.get(&format!(
            "/v1/health/service/{}?{}",
            escaped(service),
            read.query()
        ));
        let reply = self.call(request, None, read.limit()).await?;
        let instances: Vec<Instance> = parsed(&reply.body)?;
        Ok(Answer {
            index: reply.number("X-Consul-Index"),
            last_contact: reply
                .number("X-Consul-LastContact")
                .map(Duration::from_millis),
            filtered: reply.filtered(),
            instances,
        })
    }

    /// Whether an instance at that address would be believed, here and in every process configured alike.
    #[must_use]
    pub fn believes(&self, address: IpAddr) -> bool {
        self.inner.networks.permit(address).is_some()
    }

    /// `http://host:port`.
    pub(crate) fn base(&self) -> &str {
        &self.inner.base
    }

    pub(crate) fn token(&self) -> Option<HeaderValue> {
        self.inner.token.header()
    }

    /// The agent refused the token.
    pub(crate) fn reread_token(&self) {
        self.inner.token.reread();
    }

    pub(crate) fn networks(&self) -> &Networks {
        &self.inner.networks
    }

    fn get(&self, path: &str) -> ClientRequest {
        self.inner.client.get(format!("{}{path}", self.inner.base))
    }

    fn put(&self, path: &str) -> ClientRequest {
        self.inner.client.put(format!("{}{path}", self.inner.base))
    }

    async fn call(
        &self,
        request: ClientRequest,
        body: Option<&Definition>,
        limit: Duration,
    ) -> Result<Reply, Error> {
        self.answered(request, body, limit).await?.ok()
    }

    /// The answer, whatever its status.
    async fn answered(
        &self,
        request: ClientRequest,
        body: Option<&Definition>,
        limit: Duration,
    ) -> Result<Reply, Error> {
        let whole = self.exchange(request, body, limit);
        let reply = tokio::time::timeout(limit, whole)
            .await
            .map_err(|_| Error::Timeout(limit))??;
        if reply.status == StatusCode::FORBIDDEN {
            self.inner.token.reread();
        }
        Ok(reply)
    }

    async fn exchange(
        &self,
        mut request: ClientRequest,
        body: Option<&Definition>,
        limit: Duration,
    ) -> Result<Reply, Error> {
        if let Some(token) = self.inner.token.header() {
            request = request.insert_header(("X-Consul-Token", token));
        }
        let sending = match body {
            Some(body) => request.send_json(body),
            None => request.send(),
        };
        let mut response = sending.await.map_err(|error| Error::send(error, limit))?;
        let status = response.status();
        let body = response
            .body()
            .limit(BODY_LIMIT)
            .await
            .map_err(|error| Error::body(&error, BODY_LIMIT))?;
        let promised = response
            .headers()
            .get("Content-Length")
            .and_then(|length| length.to_str().ok()?.parse().ok());
        // awc ends a body that was cut short as if it were complete.
        if promised.is_some_and(|promised: usize| promised != body.len()) {
            return Err(Error::Transport("the answer was cut short".to_owned()));
        }
        Ok(Reply {
            status,
            headers: response.headers().clone(),
            body,
        })
    }
}

impl Reply {
    fn ok(self) -> Result<Self, Error> {
        if self.status == StatusCode::OK {
            return Ok(self);
        }
        Err(Error::status(self.status.as_u16(), &self.body))
    }

    /// Whether there is more than the token may see.
    fn filtered(&self) -> bool {
        self.text("X-Consul-Results-Filtered-By-ACLs")
            .is_some_and(|value| value != "false")
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| Error::Malformed(error.to_string()))
}

/// A 404 is an answer here: there is no such service.
fn found(reply: Result<Reply, Error>) -> Result<Option<Reply>, Error> {
    match reply {
        Err(Error::Status { status: 404, .. }) => Ok(None),
        other => other.map(Some),
    }
}

/// Percent-encodes all but RFC 3986's unreserved characters: right in a path segment and in a query value.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_from_elsewhere_cannot_leave_their_path_segment() {
        assert_eq!(
            escaped("users-127.0.0.1-8080-ab12cd34"),
            "users-127.0.0.1-8080-ab12cd34"
        );
        assert_eq!(escaped("../x?y=1&ü"), "..%2Fx%3Fy%3D1%26%C3%BC");
    }
}
