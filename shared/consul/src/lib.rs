//! Consul as this house uses it: who is there, and how the others learn that we are.
//!
//! [`watch::spawn`] keeps a [`View`] of one service up to date and keeps the last good one when Consul fails or says
//! something unlikely; [`registration::spawn`] keeps this process in the catalogue; [`kv::watch`] follows a prefix of
//! the key-value store.
//! Both are small loops around decisions that are pure and tested apart: the index, the pace, and whether an answer is
//! believed.
//! Everything that talks lives on one thread, because awc's clients do; a `View` is read from every thread.
//! What an endpoint is belongs to the `resilience` crate, and who is picked is decided there.
//!
//! To come, each with its place: a disk snapshot for a start without Consul (another [`view::Publisher`]), and the
//! scripted agent of this crate's tests as a feature for the tests of others.
#![warn(missing_docs)]

pub mod config;

pub mod networks;

pub mod advertise;

mod token;

pub mod error;

pub mod agent;

mod meta;

pub mod answer;

mod index;

mod pace;

mod accept;

pub mod view;

pub mod watch;

pub mod kv;

pub mod definition;

pub mod registration;

mod reconcile;

pub mod metrics;

pub use advertise::advertised_address;
pub use agent::Agent;
pub use config::{AgentConfig, InvalidConfig};
pub use error::Error;
pub use metrics::Metrics;
pub use registration::{Handle, Registration};
pub use view::View;
