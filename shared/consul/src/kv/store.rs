//! One key of the KV store read, written or deleted, through `rs-consul`.
//!
//! Each call is inside our own limit for the whole of it: the crate has none for these.
//! What else it lacks decides what is not asked of it: a prefix without keys is an error without the index that a
//! blocking query needs, one value that is no text makes a whole prefix unreadable, and a body has no cap.
//! So the watch waits with the agent client beside this and reads value by value here, where Consul's own limit of
//! 512 KiB for a value is the cap; `tests/consul/rs_consul.rs` shows what is missing.
//! Its default client opens a connection for every call; ours keeps one.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use awc::http::header::HeaderValue;
use hyper_util::client::legacy::{Builder, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rs_consul::{
    Config, Consul, ConsulError, CreateOrUpdateKeyRequest, DeleteKeyRequest, ReadKeyRequest,
};

use crate::agent::{Agent, slashed};
use crate::error::Error;

/// A client of the agent's KV store; clones share connections. It belongs to the thread that made it.
#[derive(Clone)]
pub struct Store {
    agent: Agent,
    current: Rc<RefCell<Current>>,
}

/// The crate's client holds its token for good, so a new token is a new client.
struct Current {
    token: Option<HeaderValue>,
    client: Rc<Consul>,
}

/// A value as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// There is no such key.
    Absent,
    /// What was written; a key without a value is an empty text.
    Text(String),
    /// It is no text.
    NoText,
}

/// The whole of a call: the agent is a neighbour, its leader may be a hop away.
const CALL_LIMIT: Duration = Duration::from_secs(5);
/// Longer than the pace of the watch, so that a burst of changes uses one connection.
const IDLE_LIMIT: Duration = Duration::from_secs(10);

// ---

impl Store {
    /// A client of the same agent, with the same token.
    #[must_use]
    pub fn of(agent: &Agent) -> Self {
        let token = agent.token();
        let client = Rc::new(client(agent.base(), token.as_ref()));
        Self {
            agent: agent.clone(),
            current: Rc::new(RefCell::new(Current { token, client })),
        }
    }

    /// Reads a key.
    ///
    /// # Errors
    ///
    /// Whenever the agent has not answered the question.
    pub async fn read(&self, key: &str) -> Result<Stored, Error> {
        let (client, key) = (self.client(), slashed(key));
        let request = ReadKeyRequest {
            key: &key,
            ..ReadKeyRequest::default()
        };
        match within(client.read_key(request)).await? {
            Ok(found) => {
                let first = found.response.into_iter().next();
                Ok(first.map_or(Stored::Absent, |found| {
                    Stored::Text(found.value.unwrap_or_default())
                }))
            }
            Err(ConsulError::UnexpectedResponseCode(status, _)) if status.as_u16() == 404 => {
                Ok(Stored::Absent)
            }
            Err(ConsulError::InvalidUtf8(_)) => Ok(Stored::NoText),
            Err(error) => Err(self.told(error)),
        }
    }

    /// Writes a key, whatever was there.
    ///
    /// # Errors
    ///
    /// Whenever the agent has not confirmed it.
    pub async fn write(&self, key: &str, value: &str) -> Result<(), Error> {
        let (client, key) = (self.client(), slashed(key));
        let request = CreateOrUpdateKeyRequest {
            key: &key,
            ..CreateOrUpdateKeyRequest::default()
        };
        let writing = client.create_or_update_key(request, value.as_bytes().to_vec());
        match within(writing).await? {
            Ok((true, _)) => Ok(()),
            Ok((false, _)) => Err(Error::Malformed("not written".to_owned())),
            Err(error) => Err(self.told(error)),
        }
    }

    /// Deletes a key; one that is not there is deleted already.
    ///
    /// # Errors
    ///
    /// Whenever the agent has not confirmed it.
    pub async fn delete(&self, key: &str) -> Result<(), Error> {
        let (client, key) = (self.client(), slashed(key));
        let request = DeleteKeyRequest {
            key: &key,
            ..DeleteKeyRequest::default()
        };
        match within(client.delete_key(request)).await? {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::Malformed("not deleted".to_owned())),
            Err(error) => Err(self.told(error)),
        }
    }

    fn client(&self) -> Rc<Consul> {
        let token = self.agent.token();
        let mut current = self.current.borrow_mut();
        if current.token != token {
            current.client = Rc::new(client(self.agent.base(), token.as_ref()));
            current.token = token;
        }
        Rc::clone(&current.client)
    }

    fn told(&self, error: ConsulError) -> Error {
        match error {
            ConsulError::UnexpectedResponseCode(status, text) => {
                if status.as_u16() == 403 {
                    self.agent.reread_token();
                }
                Error::status(status.as_u16(), text.unwrap_or_default().as_bytes())
            }
            ConsulError::ResponseError(error) if error.is_connect() => {
                Error::Connect(error.to_string())
            }
            error @ (ConsulError::ResponseError(_) | ConsulError::InvalidResponse(_)) => {
                Error::Transport(error.to_string())
            }
            other => Error::Malformed(other.to_string()),
        }
    }
}

async fn within<T>(call: impl Future<Output = T>) -> Result<T, Error> {
    tokio::time::timeout(CALL_LIMIT, call)
        .await
        .map_err(|_| Error::Timeout(CALL_LIMIT))
}

fn client(base: &str, token: Option<&HeaderValue>) -> Consul {
    Consul::new(Config {
        address: base.to_owned(),
        token: token.and_then(|token| Some(token.to_str().ok()?.to_owned())),
        hyper_builder: kept_alive(),
    })
}

fn kept_alive() -> Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_LIMIT)
        .pool_max_idle_per_host(1);
    builder
}
