//! The orders service over HTTP, with real inventory and payments, or with peers that fail.
#![allow(clippy::unwrap_used, reason = "tests")]

mod api;
mod bad_input;
mod buyers;
mod cascade;
mod client;
mod document;
mod flaky;
mod idempotency;
mod keep;
mod life;
mod once;
mod peer;
mod placing;
mod setbacks;
mod takeover;
mod trace;
