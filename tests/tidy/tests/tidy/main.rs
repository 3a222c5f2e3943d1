//! The house rules as tests: who may depend on whom, how large files may be, how things are named, that every metric and log event is in the catalogue, every alert has its section, dashboards show what there is, and compose fits the rest.
//!
//! A rule that is broken says which, where, and what to do about it.
//! The rules themselves are explained in ARCHITECTURE.md and shared/README.md.
#![allow(
    clippy::print_stdout,
    reason = "sizes and dependencies are printed for those who ask: cargo test -p tidy -- --nocapture"
)]

mod catalogue;
mod compose;
mod dashboards;
mod dependencies;
mod events;
mod layout;
mod promql;
mod rules;
mod scopes;
mod sizes;
mod sources;
mod yaml;
