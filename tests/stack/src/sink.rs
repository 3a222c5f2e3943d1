//! A collector for traces inside the runner: OTLP over http/protobuf in, the newest traces kept in memory.
//!
//! It stands where Jaeger would when none is configured, so that `trace ID` works with nothing installed.
//! It keeps, drops the oldest and shows; it samples, stores and exports nothing.

mod ask;
mod server;
mod store;
mod tree;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

pub use store::{Span, Trace};

use crate::error::Error;
use store::Store;

/// A sink that listens; it ends with the runtime.
#[derive(Clone, Debug)]
pub struct Sink {
    address: SocketAddr,
    store: Arc<Mutex<Store>>,
}

impl Sink {
    pub async fn start(address: SocketAddr) -> Result<Self, Error> {
        let store = Arc::<Mutex<Store>>::default();
        let address = server::start(address, store.clone()).await?;
        Ok(Self { address, store })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What processes are given as their OTLP endpoint.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A trace by its id (32 hexadecimal digits, or a whole `traceparent`).
    pub fn trace(&self, id: &str) -> Option<Trace> {
        self.store
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .trace(&bare(id))
    }

    /// The newest traces, the newest first.
    pub fn newest(&self, count: usize) -> Vec<Trace> {
        self.store
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .newest(count)
    }
}

/// `00-ID-SPAN-01` is what a response shows; people paste all of it.
fn bare(id: &str) -> String {
    let id = id.trim().to_ascii_lowercase();
    match id.split('-').collect::<Vec<_>>()[..] {
        [_, trace, ..] => trace.to_owned(),
        _ => id,
    }
}
