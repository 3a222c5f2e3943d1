//! The edges of a process: a server span and metric per request, a client span and metric per attempt.
//!
//! Both follow the HTTP semantic conventions, with the statuses this house decided on: 5xx is an error on both sides,
//! 4xx only on the side that called.
//! Labels are bounded by construction: methods and statuses are closed sets, routes are templates, upstreams are
//! logical names, and no address is ever one.
//! They use the OpenTelemetry API directly, because a `tracing` span knows neither kind nor status.

mod body;
mod client;
mod exchange;
mod names;
mod server;

pub use body::Observed;
pub use client::{Attempt, ClientMetrics, Peer};
pub use exchange::{ServerMetrics, name_error, name_route};
pub use server::Observe;
