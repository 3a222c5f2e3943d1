//! What a service brings: a name, its own settings, its migrations, its routes.

use crate::config::Common;
use crate::guard::Counted;
use crate::live::Setting;
use crate::{BadValue, Error, openapi};
use actix_web::web::{Bytes, ServiceConfig};
use futures_util::future::LocalBoxFuture;
use sqlx::migrate::Migrator;
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

/// A process, as its `main` names it. `S` is its own part of the configuration.
pub struct Spec<S, B> {
    /// The name in Consul, in traces and in metrics.
    pub name: &'static str,
    /// `env!("CARGO_PKG_VERSION")` of the binary.
    pub version: &'static str,
    /// Its own TOML: own sections, and other defaults for common ones.
    pub defaults: &'static str,
    /// Its schema; `None` for a process without a store.
    pub migrations: Option<&'static Migrator>,
    /// Refuses settings that the types alone cannot; runs before anything binds.
    pub check: fn(&S, &Common) -> Result<(), BadValue>,
    /// Builds state and routes, once.
    pub build: B,
}

/// Registers routes; runs once in each worker, so what it makes may stay on that thread.
pub(crate) type Configure = Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>;

/// The routes of a process, and what runs beside them.
pub struct App {
    pub(crate) public: Configure,
    pub(crate) admin: Configure,
    pub(crate) edge: Option<Counted>,
    pub(crate) tasks: Vec<LocalBoxFuture<'static, ()>>,
    pub(crate) settings: Vec<Setting>,
}

impl App {
    /// Routes of the public listener.
    pub fn public(configure: impl Fn(&mut ServiceConfig) + Send + Sync + 'static) -> Self {
        Self {
            public: Arc::new(configure),
            admin: Arc::new(|_| {}),
            edge: None,
            tasks: Vec::new(),
            settings: Vec::new(),
        }
    }

    /// What the public routes are, for those who ask at `/openapi.json`.
    #[must_use]
    pub fn described(mut self, api: utoipa::openapi::OpenApi) -> Self {
        let text = Bytes::from(openapi::document(api).to_string());
        let routes = self.public;
        self.public = Arc::new(move |config| {
            routes(config);
            openapi::serve(&text, config);
        });
        self
    }

    /// Routes of the admin listener, beside those that every process has.
    #[must_use]
    pub fn admin(mut self, configure: impl Fn(&mut ServiceConfig) + Send + Sync + 'static) -> Self {
        self.admin = Arc::new(configure);
        self
    }

    /// This process faces strangers: their trace context and deadlines are not believed, and their connections are counted.
    ///
    /// `counted` is the address under which a peer's connections are counted; `None` exempts it.
    #[must_use]
    pub fn edge(
        mut self,
        counted: impl Fn(IpAddr) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        self.edge = Some(Arc::new(counted));
        self
    }

    /// A folder of settings in Consul's KV store, beside those that every process has.
    #[must_use]
    pub fn setting(mut self, setting: Setting) -> Self {
        self.settings.push(setting);
        self
    }

    /// Work beside the requests; it is dropped once the listeners have stopped.
    #[must_use]
    pub fn task(mut self, task: impl Future<Output = ()> + 'static) -> Self {
        self.tasks.push(Box::pin(task));
        self
    }
}

/// Why a process did not start: one line for the operator, and the exit code.
#[derive(Debug)]
pub struct StartError {
    line: String,
    code: u8,
}

/// `EX_CONFIG` would be 78; 64 (`EX_USAGE`) is what this house promises for bad configuration.
const BAD_CONFIGURATION: u8 = 64;
/// What health checks read as "not ready".
const NOT_READY: u8 = 1;
/// `EX_UNAVAILABLE`: a port, a directory or a database is not to be had.
const UNAVAILABLE: u8 = 69;

impl StartError {
    /// Something outside the process is not to be had.
    pub fn new(line: impl Into<String>) -> Self {
        Self {
            line: line.into(),
            code: UNAVAILABLE,
        }
    }

    /// The probe's "no".
    pub(crate) fn not_ready(line: impl Into<String>) -> Self {
        Self {
            line: line.into(),
            code: NOT_READY,
        }
    }

    /// What the process exits with.
    pub fn code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

impl std::error::Error for StartError {}

impl From<BadValue> for StartError {
    fn from(bad: BadValue) -> Self {
        Self {
            line: bad.to_string(),
            code: BAD_CONFIGURATION,
        }
    }
}

impl From<Error> for StartError {
    fn from(error: Error) -> Self {
        Self::new(error.to_string())
    }
}

impl From<sqlx::Error> for StartError {
    fn from(error: sqlx::Error) -> Self {
        Self::new(format!("store: {error}"))
    }
}

impl From<prometheus::Error> for StartError {
    fn from(error: prometheus::Error) -> Self {
        Self::new(format!("metrics: {error}"))
    }
}
