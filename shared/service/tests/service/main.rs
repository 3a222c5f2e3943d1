//! The life of a process: its public listener in this process, and a whole service (`examples/sick.rs`) as a
//! process of its own, which is broken on purpose.
#![allow(clippy::unwrap_used, reason = "tests")]

mod deadline;
mod faults;
mod public;
mod refused_faults;
mod sick;
mod wire;
