//! The whole system as people run it: a real Consul agent, two instances of five services in two
//! zones, the gateway, as native processes of the optimised build.
//!
//! One scenario at a time (`stage`): each starts a system of its own and leaves nothing behind.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(
    clippy::print_stdout,
    reason = "the figures of a run belong in its output"
)]

mod stage;

mod bad_configuration;
mod bad_input;
mod consul_lost;
mod limits;
mod orders;
mod running;
mod tracing;
mod zones;
