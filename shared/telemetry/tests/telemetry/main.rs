//! Telemetry as others see it: what a collector receives, what `/metrics` says, what a log line carries.
//!
//! The collector here is a plain socket that decodes what really was sent.
//! The subscriber and the tracer of a process are global, so tests that need them share one ([`world`]) and tell their
//! spans apart by trace; the others bring a tracer of their own.
#![allow(clippy::unwrap_used, reason = "tests")]

mod collector;
mod series;
mod server;
mod shop;
mod sink;
mod trace;
mod watched;
mod world;
