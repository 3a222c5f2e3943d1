//! The calls of this crate against real sockets.
#![allow(clippy::unwrap_used, reason = "tests")]
mod stream;
