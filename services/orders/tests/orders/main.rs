//! The orders service over HTTP, with real inventory and payments, or with peers that fail.
#![allow(clippy::unwrap_used, reason = "tests")]

mod api;
mod bad_input;
mod buyers;
mod client;
mod idempotency;
mod life;
mod peer;
mod placing;
mod setbacks;
