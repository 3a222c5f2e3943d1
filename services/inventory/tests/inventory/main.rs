//! The inventory service over HTTP.
#![allow(clippy::unwrap_used, reason = "tests")]

mod api;
mod attempts;
mod bad_input;
mod concurrency;
mod document;
mod expiry;
mod items;
mod reservations;
