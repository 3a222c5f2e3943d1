//! The real system under real faults: every process as it is built to run, a real Consul, two zones.
//!
//! Each file is one promise. A test brings up a system of its own; they run one after the other, because load on one would be noise for the next.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(
    clippy::print_stdout,
    reason = "the figures of a run belong in its output"
)]

mod exposed;
mod k6;
mod system;

mod alerts;
mod bad_configuration;
mod bad_input;
mod companions;
mod compose;
mod consul_outage;
mod dashboards;
mod drills;
mod failover;
mod faults;
mod limits;
mod live_page;
mod live_settings;
mod logs;
mod postgres;
mod prometheus;
mod rolling_restart;
mod sampling;
mod series;
mod shop;
mod slow_clients;
mod sold_out;
mod streams;
mod tokens;
mod trace;
mod verdicts;
