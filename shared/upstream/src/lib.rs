//! A service found in Consul, as something one can call.
//!
//! [`Pool`] is one upstream service seen by one process: its endpoints, its breaker, its budget,
//! shared by all workers. A [`Call`] is one request's permission to use it, a [`Lease`] one attempt
//! on one endpoint; both give back what they took when dropped. [`call`] speaks JSON over awc,
//! [`stream`] passes bodies through over hyper; their connections belong to one worker.
//! Retries are the gateway's, policies are `resilience`'s.
#![warn(missing_docs)]

pub mod call;
mod config;
mod error;
mod lease;
mod metrics;
mod pool;
pub mod status;
pub mod stream;
mod zone_flow;

pub use config::PoolConfig;
pub use error::{Error, Origin};
pub use lease::{Call, Lease, Over};
pub use metrics::Metrics;
pub use pool::Pool;
pub use resilience::breaker::Mode;
pub use resilience::classify::Outcome;
pub use resilience::deadline::Deadline;
pub use resilience::endpoint::{EndpointId, Zone};
pub use status::Status;
