//! The gateway in process, over real sockets, in front of upstreams that do exactly what a test says.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(
    clippy::print_stdout,
    reason = "the figures of a run belong in its output: cargo test -p gateway -- --nocapture"
)]

mod issuer;
mod rig;
mod upstream;
mod wire;

mod aggregates;
mod blame;
mod bulkheads;
mod coalescing;
mod corpus;
mod credentials;
mod desk;
mod downloads;
mod fallbacks;
mod forgeries;
mod headers;
mod holding;
mod keyring;
mod limits;
mod operators;
mod retries;
mod retry_rules;
mod sign_in;
mod tokens;
mod uploads;
