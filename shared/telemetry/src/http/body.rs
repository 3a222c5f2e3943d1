//! The body of an answer, watched to its end.
//!
//! Size and bytes pass unchanged.
//! An answer is complete when the body says so or when its announced length was handed over; a body that is dropped
//! before either was left by the client.

use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::{
    body::{BodySize, BoxBody, MessageBody},
    web::Bytes,
};

use super::exchange::Exchange;

/// A response body whose end is the end of the request's span and measurement.
pub struct Observed {
    body: BoxBody,
    /// Bytes of the announced length that are still to come.
    remaining: Option<u64>,
    exchange: Exchange,
}

impl Observed {
    pub(super) fn new(body: BoxBody, mut exchange: Exchange) -> Self {
        let remaining = match body.size() {
            BodySize::None => Some(0),
            BodySize::Sized(length) => Some(length),
            BodySize::Stream => None,
        };
        if remaining == Some(0) {
            // The server does not poll a body that has nothing in it.
            exchange.complete();
        }
        Self {
            body,
            remaining,
            exchange,
        }
    }
}

impl MessageBody for Observed {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = &mut *self;
        let next = {
            let _current = this.exchange.context().clone().attach();
            Pin::new(&mut this.body).poll_next(cx)
        };
        match &next {
            Poll::Ready(Some(Ok(chunk))) => {
                this.remaining = this
                    .remaining
                    .map(|left| left.saturating_sub(chunk.len() as u64));
                if this.remaining == Some(0) {
                    this.exchange.complete();
                }
            }
            Poll::Ready(Some(Err(_))) => this.exchange.cut(),
            Poll::Ready(None) => this.exchange.complete(),
            Poll::Pending => {}
        }
        next
    }
}
