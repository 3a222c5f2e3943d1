//! Traces, metrics and logs of every hop, on one set of conventions.
//!
//! A process calls [`Telemetry::start`] once and wraps its application in [`http::Observe`]; each call it makes is an
//! [`http::Attempt`].
//! Spans leave as OTLP over HTTP from a thread of their own, so a collector that is slow, hung or absent changes
//! nothing but a counter.
//! Metrics are the `prometheus` crate's, on a registry that the caller owns.
//! What is measured beyond HTTP, and what it means, belongs to the crate that does the work.
#![warn(missing_docs)]

pub mod settings;
pub mod start;

pub mod http;
pub mod metrics;
pub mod propagation;
pub mod span;

pub mod logs;
mod processor;
pub mod testing;
pub mod traces;

pub use logs::LogFilter;
pub use settings::{LogFormat, Ratio, Resource, Settings};
pub use start::{Error, Telemetry};
