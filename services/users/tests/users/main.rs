//! The users service over HTTP.
#![allow(clippy::unwrap_used, reason = "tests")]

mod accounts;
mod api;
mod bad_input;
mod document;
mod rotation;
mod sign_in;
