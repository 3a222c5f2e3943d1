//! The runner against real processes: a real Consul, stand-ins for the services (`examples/stand_in.rs`), real sockets.
#![allow(clippy::unwrap_used, reason = "tests")]

mod life;
mod load;
mod parts;
mod process;
mod sink;
mod verbs;
