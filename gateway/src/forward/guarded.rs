//! A client's body under guard: how much, how fast, how long a pause.
//!
//! Pauses are charged to the client only while we wait for it: an upstream that does not read is not the client's fault.
//! A client that waits to be invited (`Expect: 100-continue`) is invited here, when the body is first asked for: whatever could refuse the request has let it pass by then.
//! Why a body failed is told beside the stream, because hyper only passes on that it did.

use std::{
    cell::{Cell, RefCell},
    future::Future as _,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use actix_web::{HttpRequest, web};
use bytes::Bytes;
use futures_util::Stream;
use service::Watch;
use tokio::time::Sleep;

use crate::{config::Edge, error::Error};

/// Why a client's body ended early, told by the stream to whoever waits for the answer.
#[derive(Clone, Default)]
pub struct Complaint(Rc<Cell<Option<Failed>>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failed {
    TooLarge(u64),
    TooSlow,
    Broken,
}

/// A payload under guard.
pub struct Guarded {
    payload: Rc<RefCell<web::Payload>>,
    limit: u64,
    idle: Duration,
    rate: u64,
    received: u64,
    /// Time that was spent waiting for the client.
    waited: Duration,
    waiting_since: Option<Instant>,
    timer: Pin<Box<Sleep>>,
    complaint: Complaint,
    /// Taken at the first look at the payload.
    uninvited: Option<Rc<Watch>>,
}

impl Guarded {
    /// At most `limit` bytes of the request's payload.
    pub fn new(
        request: &HttpRequest,
        payload: Rc<RefCell<web::Payload>>,
        limit: u64,
        edge: &Edge,
        complaint: Complaint,
    ) -> Self {
        Self {
            uninvited: request.conn_data::<Rc<Watch>>().cloned(),
            payload,
            limit,
            idle: edge.body_idle(),
            rate: edge.body_rate,
            received: 0,
            waited: Duration::ZERO,
            waiting_since: None,
            timer: Box::pin(tokio::time::sleep(edge.body_idle())),
            complaint,
        }
    }

    fn fail(&self, failed: Failed) -> Poll<Option<Result<Bytes, io::Error>>> {
        self.complaint.0.set(Some(failed));
        Poll::Ready(Some(Err(io::Error::other("the client's body failed"))))
    }

    /// Slower than allowed, over all the time that we waited; short waits say nothing.
    fn too_slow(&self) -> bool {
        self.waited > self.idle
            && u128::from(self.received) * 1000 < u128::from(self.rate) * self.waited.as_millis()
    }
}

impl Stream for Guarded {
    type Item = Result<Bytes, io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(watch) = self.uninvited.take() {
            watch.invite();
        }
        let polled = Pin::new(&mut *self.payload.borrow_mut()).poll_next(cx);
        let Poll::Ready(next) = polled else {
            if self.waiting_since.is_none() {
                let now = Instant::now();
                self.waiting_since = Some(now);
                let until = now + self.idle;
                self.timer.as_mut().reset(until.into());
            }
            return match self.timer.as_mut().poll(cx) {
                Poll::Ready(()) => self.fail(Failed::TooSlow),
                Poll::Pending => Poll::Pending,
            };
        };
        if let Some(since) = self.waiting_since.take() {
            self.waited += since.elapsed();
        }
        match next {
            None => Poll::Ready(None),
            Some(Ok(chunk)) => {
                self.received += chunk.len() as u64;
                if self.received > self.limit {
                    return self.fail(Failed::TooLarge(self.limit));
                }
                if self.too_slow() {
                    return self.fail(Failed::TooSlow);
                }
                Poll::Ready(Some(Ok(chunk)))
            }
            // The parser says the same of a chunk that makes no sense and of a client that left within its body.
            Some(Err(_)) => self.fail(Failed::Broken),
        }
    }
}

impl Complaint {
    /// The client's own failure, if that is why an exchange ended.
    pub fn error(&self) -> Error {
        match self.0.get() {
            Some(Failed::TooLarge(limit)) => Error::BodyTooLarge { limit },
            Some(Failed::TooSlow) => Error::BodyTooSlow,
            Some(Failed::Broken) => Error::BodyBroken,
            None => Error::ClientLeft,
        }
    }
}
