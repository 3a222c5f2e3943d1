//! The life of a process: what every binary of this house does the same way.
//!
//! `run` reads the configuration, reserves the ports, starts telemetry, opens the store, finds the
//! upstreams, serves, registers with Consul, and on a signal undoes all of it in order.
//! A service brings a name, its own settings, its migrations and its routes ([`Spec`]); it never
//! says a word of Consul or telemetry.
//!
//! Reading order: [`run`](run()) -> `config` -> `lifecycle` -> `listeners` -> `ops` -> `store` -> `error`.
#![warn(missing_docs)]

pub mod admin;
mod cli;
pub mod config;
mod context;
mod deadline;
mod drain;
mod error;
mod identity;
pub mod input;
mod latch;
mod lifecycle;
mod listeners;
mod ops;
pub mod output;
mod public;
mod run;
mod spec;
mod store;
pub mod testing;

pub use config::BadValue;
pub use context::Context;
pub use drain::Drain;
pub use error::Error;
pub use identity::Identity;
pub use latch::{Latch, Readiness};
pub use run::run;
pub use spec::{App, Spec, StartError};
pub use sqlx::migrate::Migrator;
pub use store::{Store, Write};
