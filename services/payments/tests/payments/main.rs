//! The payments service over HTTP.
#![allow(clippy::unwrap_used, reason = "tests")]

mod api;
mod bad_input;
mod charges;
