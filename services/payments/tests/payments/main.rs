//! The payments service over HTTP.
#![allow(clippy::unwrap_used, reason = "tests")]

mod api;
mod attempts;
mod bad_input;
mod charges;
mod document;
