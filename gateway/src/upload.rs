//! The client's body on its way in: never larger, slower or longer idle than allowed, and sent again only while it is small.
//!
//! A body of up to `edge.replay_bytes` is read whole before an upstream is bothered: a slow client then holds no upstream's time, and a retry can send it again.
//! A longer one streams through once, as fast as the slower side, with one chunk in memory.
//! Pauses are charged to the client only while we wait for it: an upstream that does not read is not the client's fault.
//! What is not read is still held until the answer is written: the server below then closes the connection, where it would read a dropped chunked body to its end, however long.

use std::{
    cell::{Cell, RefCell},
    future::Future as _,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use actix_web::{
    HttpMessage as _, HttpRequest, error::PayloadError, http::header::CONTENT_LENGTH, web,
};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, stream};
use tokio::time::Sleep;
use upstream::stream::RequestBody;

use crate::{config::Edge, error::Error};

/// The client's end of a body; clones share it. `None` inside when no body was announced.
#[derive(Clone)]
pub struct Source(Option<Rc<RefCell<web::Payload>>>);

/// A request body that is ready to go upstream.
pub enum Upload {
    Empty,
    /// All of it is here.
    Whole(Bytes),
    /// It can go up once.
    Stream(Option<Flow>),
}

/// The parts of a body that is longer than what is kept.
pub struct Flow {
    length: Option<u64>,
    begun: Bytes,
    rest: Guarded,
}

/// Why a client's body ended early, told by the stream to whoever waits for the answer.
#[derive(Clone, Default)]
pub struct Complaint(Rc<Cell<Option<Failed>>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failed {
    TooLarge(u64),
    TooSlow,
    Framing,
    Left,
}

impl Source {
    /// The body that a request announces.
    pub fn of(request: &HttpRequest, payload: web::Payload) -> Self {
        let announced = request.chunked().unwrap_or(false)
            || declared_length(request).is_some_and(|length| length > 0);
        Self(announced.then(|| Rc::new(RefCell::new(payload))))
    }

    /// Whether a body was announced.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl Upload {
    /// Reads the body as far as it is kept for replay.
    pub async fn read(
        request: &HttpRequest,
        source: &Source,
        limit: u64,
        edge: &Edge,
    ) -> Result<(Self, Complaint), Error> {
        let complaint = Complaint::default();
        let Some(payload) = source.0.clone() else {
            return Ok((Self::Empty, complaint));
        };
        let length = declared_length(request);
        if length.is_some_and(|length| length > limit) {
            return Err(Error::BodyTooLarge { limit });
        }
        let mut rest = Guarded::new(payload, limit, edge, complaint.clone());
        let kept = edge.replay_bytes as u64;
        if length.is_some_and(|length| length > kept) {
            return Ok((
                Self::Stream(Some(Flow {
                    length,
                    begun: Bytes::new(),
                    rest,
                })),
                complaint,
            ));
        }
        let mut begun = BytesMut::with_capacity(length.unwrap_or_default() as usize);
        while let Some(chunk) = rest.next().await {
            begun.extend_from_slice(&chunk.map_err(|_| complaint.error())?);
            if begun.len() as u64 > kept {
                return Ok((
                    Self::Stream(Some(Flow {
                        length,
                        begun: begun.freeze(),
                        rest,
                    })),
                    complaint,
                ));
            }
        }
        Ok((Self::Whole(begun.freeze()), complaint))
    }

    /// Whether another attempt could send the same again.
    pub fn replayable(&self) -> bool {
        !matches!(self, Self::Stream(_))
    }

    /// The body for one attempt. A stream can be taken once; the retry policy asks `replayable` first.
    pub fn take(&mut self) -> RequestBody {
        match self {
            Self::Empty => RequestBody::Empty,
            Self::Whole(bytes) => RequestBody::Whole(bytes.clone()),
            Self::Stream(flow) => {
                let Flow {
                    length,
                    begun,
                    rest,
                } = flow
                    .take()
                    .expect("a stream goes up once: replayable() was asked");
                let begun = stream::iter((!begun.is_empty()).then_some(Ok(begun)));
                RequestBody::Stream {
                    length,
                    chunks: begun.chain(rest).boxed_local(),
                }
            }
        }
    }
}

impl Complaint {
    /// The client's own failure, if that is why an exchange ended.
    pub fn error(&self) -> Error {
        match self.0.get() {
            Some(Failed::TooLarge(limit)) => Error::BodyTooLarge { limit },
            Some(Failed::TooSlow) => Error::BodyTooSlow,
            Some(Failed::Framing) => Error::BodyFraming,
            Some(Failed::Left) | None => Error::ClientLeft,
        }
    }
}

fn declared_length(request: &HttpRequest) -> Option<u64> {
    request
        .headers()
        .get(CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// A payload under guard.
struct Guarded {
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
}

impl Guarded {
    fn new(
        payload: Rc<RefCell<web::Payload>>,
        limit: u64,
        edge: &Edge,
        complaint: Complaint,
    ) -> Self {
        Self {
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
            Some(Err(PayloadError::EncodingCorrupted | PayloadError::UnknownLength)) => {
                self.fail(Failed::Framing)
            }
            Some(Err(_)) => self.fail(Failed::Left),
        }
    }
}
