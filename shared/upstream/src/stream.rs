//! The gateway's hop: requests and answers stream through, over connections of one worker.
//!
//! hyper's types end here. Each worker keeps its own idle connections (transport per worker), keyed
//! by address; which address is somebody else's choice. An answer's body gives its connection back
//! at its clean end and closes it otherwise, so no caller ever reads another's bytes. Retries,
//! headers and deadlines are the gateway's; whether anything was written is told here.

mod body;
mod connections;
mod failure;
mod flow;

pub use body::{Cut, RequestBody, ResponseBody};
pub use connections::{Connections, StreamConfig};
pub use failure::{Failure, FailureKind};
pub use flow::{Flow, Flowing};
