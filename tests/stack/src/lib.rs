//! The whole system as native processes: Consul, the services in their zones, the gateway, a sink for traces.
//!
//! People use it through the binary (`cargo stack up`), tests through this library; both run the same code, so what people see and what is proved cannot drift.
//!
//! ```no_run
//! # async fn run() -> Result<(), stack::Error> {
//! use stack::{Plan, Stack};
//!
//! let stack = Stack::builder().instances(1).start().await?;
//! let load = stack.load(Plan::default()).await?;
//! stack.kill("users-a1").await?;
//! stack.restart("users-a1").await?;
//! assert_eq!(load.finish().await.errors, 0);
//! stack.stop().await;
//! # Ok(())
//! # }
//! ```

// The life of a run.
mod builder;
mod start;
mod stop;

// What runs, and what can be done to it.
mod catalogue;
mod desk;
mod faults;
mod stack;
mod status;
mod verbs;

// How another shell reaches it.
pub mod control;
pub mod record;

// What it is made of.
pub mod binaries;
pub mod consul;
mod instance;
mod process;
mod unit;

// What looks at it.
pub mod client;
pub mod companions;
pub mod dashboards;
pub mod jaeger;
pub mod k6;
pub mod load;
pub mod prometheus;
pub mod sink;

// What breaks it.
pub mod drill;

// What it stands on.
mod error;
mod keys;
pub mod parts;
pub mod place;
pub mod ports;
mod reporter;
pub mod wait;

pub use builder::Builder;
pub use client::{Answer, Client, Failure};
pub use consul::Registered;
pub use error::Error;
pub use faults::Standing;
pub use instance::{Addresses, Instance};
pub use keys::Keys;
pub use load::{Journey, Load, Plan, Report, Step};
pub use place::Place;
pub use process::{Process, Program};
pub use reporter::Reporter;
pub use stack::Stack;
pub use start::Timings;
pub use status::{Row, Table};
pub use unit::{State, Unit};
