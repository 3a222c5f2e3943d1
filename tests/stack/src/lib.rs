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

pub mod binaries;
mod builder;
pub mod client;
pub mod consul;
pub mod control;
mod error;
mod instance;
mod keys;
pub mod load;
pub mod parts;
pub mod place;
mod ports;
mod process;
pub mod record;
mod reporter;
pub mod sink;
mod stack;
mod start;
mod status;
mod unit;
pub mod wait;

pub use builder::Builder;
pub use client::{Answer, Client, Failure};
pub use error::Error;
pub use instance::{Addresses, Instance};
pub use keys::Keys;
pub use load::{Journey, Load, Plan, Report};
pub use place::Place;
pub use process::{Process, Program};
pub use reporter::Reporter;
pub use stack::Stack;
pub use start::Timings;
pub use status::{Row, Table};
pub use unit::{State, Unit};
