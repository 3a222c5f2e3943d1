//! Calls over real sockets to upstreams that answer, hang, lie or are gone.
#![allow(clippy::unwrap_used, reason = "tests")]

mod scene;

mod blame;
mod bounds;
mod calls;
mod following;
mod lies;
mod sick;
mod spilling;
mod stream;
mod uploading;
