//! How far a body has come that flows from a client to an upstream, and whom it waits for.
//!
//! What a client takes to send its body says nothing about the upstream, so whoever measures the upstream asks here when
//! its own time began.

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::LocalBoxStream;
use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

/// How far a flowing body has come; clones share it.
#[derive(Debug, Clone)]
pub struct Flow(Rc<Cell<Progress>>);

/// A body that flows through once.
pub struct Flowing {
    length: Option<u64>,
    chunks: LocalBoxStream<'static, Result<Bytes, io::Error>>,
    flow: Flow,
}

#[derive(Debug, Clone, Copy)]
enum Progress {
    /// Its next part is there, or would be if the upstream read on.
    Flows,
    /// Its next part has not come from the client yet.
    Awaited,
    /// The upstream has all of it, or will not get more.
    Ended(Instant),
}

impl Flow {
    /// When the body had ended; `now` while it still flows.
    pub fn ended(&self, now: Instant) -> Instant {
        match self.0.get() {
            Progress::Ended(at) => at,
            Progress::Flows | Progress::Awaited => now,
        }
    }

    /// Whether the next step is the client's.
    pub(super) fn waits_for_client(&self) -> bool {
        matches!(self.0.get(), Progress::Awaited)
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
            flow: Flow(Rc::new(Cell::new(Progress::Flows))),
        }
    }

    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }

    pub(super) fn flow(&self) -> Flow {
        self.flow.clone()
    }

    fn end(&self) {
        if !matches!(self.flow.0.get(), Progress::Ended(_)) {
            self.flow.0.set(Progress::Ended(Instant::now()));
        }
    }
}

impl Stream for Flowing {
    type Item = Result<Bytes, io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.chunks.as_mut().poll_next(context);
        match &next {
            Poll::Pending => self.flow.0.set(Progress::Awaited),
            Poll::Ready(Some(_)) => self.flow.0.set(Progress::Flows),
            Poll::Ready(None) => self.end(),
        }
        next
    }
}

impl Drop for Flowing {
    /// A body of known length is dropped after its last byte, without being asked for its end.
    fn drop(&mut self) {
        self.end();
    }
}
