//! A small HTTP client: keep-alive connections to one address, whole answers, a time limit on all of it.
//!
//! Readiness, Consul, the load generator and the end-to-end tests all ask through it, so what one sees the others see.
//! A request is sent again only when the connection was closed before any of it was written; everything else is told as it happened.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{HeaderMap, Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// For calls that name no limit of their own.
pub const LIMIT: Duration = Duration::from_secs(10);

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    Connect(String),
    Timeout,
    /// Reset, cut off, or not HTTP.
    Transport(String),
}

/// Requests to one address.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    /// The header that says who asks.
    credential: Option<(&'static str, String)>,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            credential: None,
            idle: Mutex::default(),
        }
    }

    /// Sends `X-API-Key` with each request.
    pub fn with_key(mut self, key: impl Into<String>) -> Self {
        self.credential = Some(("x-api-key", key.into()));
        self
    }

    /// Sends `Authorization: Bearer` with each request.
    pub fn with_token(mut self, token: &str) -> Self {
        self.credential = Some(("authorization", format!("Bearer {token}")));
        self
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub async fn get(&self, path: &str) -> Result<Answer, Failure> {
        self.call(Method::GET, path, None, &[], LIMIT).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer, Failure> {
        self.call(Method::POST, path, Some(body), &[], LIMIT).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Result<Answer, Failure> {
        self.call(Method::PUT, path, Some(body), &[], LIMIT).await
    }

    pub async fn delete(&self, path: &str) -> Result<Answer, Failure> {
        self.call(Method::DELETE, path, None, &[], LIMIT).await
    }

    /// One request with extra headers.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
        limit: Duration,
    ) -> Result<Answer, Failure> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.address.to_string());
        if let Some((name, value)) = &self.credential {
            request = request.header(*name, value);
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let bytes = body
            .map(|body| Bytes::from(body.to_string()))
            .unwrap_or_default();
        let request = request
            .body(Full::new(bytes))
            .map_err(|error| Failure::Transport(error.to_string()))?;
        self.send(request, limit).await
    }

    /// A request as it is; `limit` covers connecting and the last byte of the body.
    pub async fn send(
        &self,
        request: Request<Full<Bytes>>,
        limit: Duration,
    ) -> Result<Answer, Failure> {
        tokio::time::timeout(limit, self.exchange(request))
            .await
            .unwrap_or(Err(Failure::Timeout))
    }

    async fn exchange(&self, mut request: Request<Full<Bytes>>) -> Result<Answer, Failure> {
        loop {
            let (mut sender, fresh) = self.connection().await?;
            let response = match sender.try_send_request(request).await {
                Ok(response) => response,
                Err(mut refused) => match refused.take_message() {
                    Some(unsent) if !fresh => {
                        request = unsent;
                        continue;
                    }
                    _ => return Err(transport(refused.error())),
                },
            };
            let (head, body) = response.into_parts();
            let body = body
                .collect()
                .await
                .map_err(|error| transport(&error))?
                .to_bytes();
            self.keep(sender);
            return Ok(Answer {
                status: head.status.as_u16(),
                headers: head.headers,
                body,
            });
        }
    }

    /// An idle connection that still lives, else a new one (`true`).
    async fn connection(&self) -> Result<(SendRequest<Full<Bytes>>, bool), Failure> {
        while let Some(mut sender) = self.take() {
            if sender.ready().await.is_ok() {
                return Ok((sender, false));
            }
        }
        let stream = TcpStream::connect(self.address)
            .await
            .map_err(|error| Failure::Connect(error.to_string()))?;
        let _ = stream.set_nodelay(true);
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| transport(&error))?;
        tokio::spawn(connection);
        Ok((sender, true))
    }

    fn take(&self) -> Option<SendRequest<Full<Bytes>>> {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
    }

    fn keep(&self, sender: SendRequest<Full<Bytes>>) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(sender);
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON; `Null` when it is not.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Connect(why) => write!(out, "no connection ({why})"),
            Self::Timeout => out.write_str("no answer in time"),
            Self::Transport(why) => write!(out, "no whole answer ({why})"),
        }
    }
}

fn transport(error: &hyper::Error) -> Failure {
    use std::error::Error as _;
    Failure::Transport(
        error
            .source()
            .map_or_else(|| error.to_string(), |source| format!("{error}: {source}")),
    )
}
