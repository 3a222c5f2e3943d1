//! A body that trickles: one byte, a pause, the next byte.
//!
//! Size and bytes stay as they are. Once the fault is over the rest passes at once.

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;
use futures_util::ready;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::time::Sleep;

/// A body with a pause after each byte.
pub(crate) struct Dripping<B> {
    body: Pin<Box<B>>,
    held: Bytes,
    every: Duration,
    until: Instant,
    pause: Pin<Box<Sleep>>,
}

impl<B: MessageBody> Dripping<B> {
    pub(super) fn new(body: B, every: Duration, until: Instant) -> Self {
        Self {
            body: Box::pin(body),
            held: Bytes::new(),
            every,
            until,
            pause: Box::pin(tokio::time::sleep(Duration::ZERO)),
        }
    }
}

impl<B: MessageBody> MessageBody for Dripping<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = &mut *self;
        // An empty chunk would end a chunked answer.
        while this.held.is_empty() {
            match ready!(this.body.as_mut().poll_next(cx)) {
                Some(Ok(chunk)) => this.held = chunk,
                end => return Poll::Ready(end),
            }
        }
        if Instant::now() >= this.until {
            return Poll::Ready(Some(Ok(std::mem::take(&mut this.held))));
        }
        ready!(this.pause.as_mut().poll(cx));
        let next = Instant::now() + this.every;
        this.pause.as_mut().reset(next.min(this.until).into());
        let byte = this.held.split_to(1);
        Poll::Ready(Some(Ok(byte)))
    }
}
