//! The gateway in process, over real sockets, in front of upstreams that do exactly what a test says.
#![allow(clippy::unwrap_used, reason = "tests")]

mod rig;
mod upstream;
mod wire;

mod aggregates;
mod corpus;
mod credentials;
mod desk;
mod downloads;
mod headers;
mod limits;
mod retries;
mod uploads;
