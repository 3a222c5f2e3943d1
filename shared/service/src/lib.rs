//! The life of a process: what every binary of this house does the same way.
//!
//! `run` reads the configuration, reserves the ports, starts telemetry, opens the store, finds the
//! upstreams, serves, registers with Consul, and on a signal undoes all of it in order.
//! A service brings a name, its own settings, its migrations and its routes ([`Spec`]); it never
//! says a word of Consul or telemetry.
//!
//! Reading order: [`run`](run()) -> `config` -> `lifecycle` -> `listeners` -> `ops` -> `store` -> `error`.
#![warn(missing_docs)]

// From the command line to a life.
mod spec;

mod run;

mod cli;
pub mod config;

mod lifecycle;

// What a service is given.
mod context;
mod identity;
mod store;

// Its three listeners, and what is around its routes.
mod door;
mod listeners;
mod public;
mod runtimes;

mod guard;

mod deadline;
mod drain;
mod unrouted;

mod ops;

pub mod faults;

mod latch;

pub mod admin;

// What changes while it runs.
pub mod live;

// What its handlers speak.
pub mod input;
pub mod output;

mod error;

// What is said of them.
pub mod openapi;

pub mod testing;

pub use config::BadValue;
pub use context::Context;
pub use drain::Drain;
pub use error::Error;
pub use faults::Faults;
pub use guard::Watch;
pub use identity::Identity;
pub use latch::{Latch, Readiness};
pub use run::run;
pub use spec::{App, Spec, StartError};
pub use sqlx::migrate::Migrator;
pub use store::{Store, Write};
/// What a service adds to the trace of the request that it works on.
pub use telemetry::span::annotate;
