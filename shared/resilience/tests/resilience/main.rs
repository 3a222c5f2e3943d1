//! The promises of the policies, each as a property.
//!
//! A failing property prints its smallest input and saves its seed in `proptest-regressions`.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(
    clippy::disallowed_methods,
    reason = "a test needs some instant to start from"
)]

mod cases;
mod fleet;
mod simulation;

mod breaker;
mod breaking;
mod interleaving;
mod window;

mod balancing;
mod ejecting;
mod sharing;
mod simulating;
mod spilling;

mod limiting;
mod retrying;
