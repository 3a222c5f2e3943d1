//! The gateway in process, over real sockets, in front of upstreams that do exactly what a test says.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(
    clippy::print_stdout,
    reason = "the figures of a run belong in its output: cargo test -p gateway -- --nocapture"
)]

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

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
mod live_page;
mod openapi;
mod operators;
mod retries;
mod retry_rules;
mod sign_in;
mod tokens;
mod uploads;

/// A thousand clients are noise for whoever measures a few hundred milliseconds beside them.
static CROWDS: RwLock<()> = RwLock::new(());

/// For a test that brings a crowd: no other crowd and nothing that measures time runs beside it.
fn crowded() -> RwLockWriteGuard<'static, ()> {
    // A test that failed before this one has left nothing behind.
    CROWDS.write().unwrap_or_else(PoisonError::into_inner)
}

/// For a test that measures time: no crowd runs beside it.
fn uncrowded() -> RwLockReadGuard<'static, ()> {
    CROWDS.read().unwrap_or_else(PoisonError::into_inner)
}
