//! What happens to a call: every decision, and nothing else.
//!
//! This crate has no IO, no async, no metrics and no logs, and neither a clock nor randomness of its own: `now` and the
//! random source are arguments, so that a test can run an hour in a millisecond and repeat it from a seed.
//! The one exception is [`limiter`], which is generic over governor's clock.
//! A decision returns what happened (a [`breaker::Transition`], a [`balancer::Pick`] with its reason, a refusal that
//! says when to come back); counting and logging it is the caller's business.
//! Three things stay apart: [`classify`] says what an outcome means, [`breaker`] and [`balancer`] decide, and the lease
//! in the `upstream` crate enforces.
#![warn(missing_docs)]

pub mod endpoint;

pub mod classify;

pub mod window;

pub mod breaker;

pub mod ejection;

pub mod zone;

pub mod spill;

pub mod balancer;

pub mod retry;

pub mod limiter;

pub mod deadline;

pub mod backoff;
