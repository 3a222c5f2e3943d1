//! How far a body has come that flows from a client to an upstream, and whom it waits for.
//!
//! What a client takes to send its body says nothing about the upstream, so whoever measures the upstream asks here how
//! long the client was waited for. What an upstream takes to read what is there is its own.

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::LocalBoxStream;
use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// How far a flowing body has come; clones share it.
#[derive(Debug, Clone)]
pub struct Flow(Rc<Cell<Progress>>);

/// A body that flows through once.
pub struct Flowing {
    length: Option<u64>,
    chunks: LocalBoxStream<'static, Result<Bytes, io::Error>>,
    flow: Flow,
}

#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    /// What the client's parts took to come, those that have.
    awaited: Duration,
    /// Since when the next part is awaited. None while it is there, or would be if the upstream read on; and once the
    /// upstream has all of them, or will not get more.
    since: Option<Instant>,
}

impl Flow {
    /// How long the client was waited for, up to now.
    pub fn awaited(&self, now: Instant) -> Duration {
        let Progress { awaited, since } = self.0.get();
        let still = since.map(|since| now.saturating_duration_since(since));
        awaited + still.unwrap_or_default()
    }

    /// Whether the next step is the client's.
    pub(super) fn waits_for_client(&self) -> bool {
        self.0.get().since.is_some()
    }

    fn waits(&self) {
        let progress = self.0.get();
        let since = Some(progress.since.unwrap_or_else(Instant::now));
        self.0.set(Progress { since, ..progress });
    }

    fn goes_on(&self) {
        if self.waits_for_client() {
            let awaited = self.awaited(Instant::now());
            let since = None;
            self.0.set(Progress { awaited, since });
        }
    }
}

impl Flowing {
    pub(super) fn new(
        length: Option<u64>,
        chunks: LocalBoxStream<'static, Result<Bytes, io::Error>>,
    ) -> Self {
        Self {
            length,
            chunks,
            flow: Flow(Rc::default()),
        }
    }

    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }

    pub(super) fn flow(&self) -> Flow {
        self.flow.clone()
    }
}

impl Stream for Flowing {
    type Item = Result<Bytes, io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.chunks.as_mut().poll_next(context);
        match &next {
            Poll::Pending => self.flow.waits(),
            Poll::Ready(_) => self.flow.goes_on(),
        }
        next
    }
}

impl Drop for Flowing {
    /// A body of known length is dropped after its last byte, without being asked for its end.
    fn drop(&mut self) {
        self.flow.goes_on();
    }
}
