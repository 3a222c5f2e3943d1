//! The client's body on its way in: read whole while it is small, so that it can be sent again, else streamed through once.
//!
//! A body of up to `edge.replay_bytes` is read whole before an upstream is bothered: a slow client then holds no upstream's time, and a retry can send it again.
//! A longer one streams through once, as fast as the slower side, with one chunk in memory; as long as nothing of it was written, it can go elsewhere.
//! What is not read is still held until the answer is written: the server below then closes the connection, where it would read a dropped chunked body to its end, however long.

use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use actix_web::{HttpMessage as _, HttpRequest, http::header::CONTENT_LENGTH, web};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream as _, StreamExt as _, stream};
use upstream::stream::RequestBody;

use crate::{
    config::Edge,
    error::Error,
    forward::guarded::{Complaint, Guarded},
};

/// The client's end of a body; clones share it. `None` inside when no body was announced.
#[derive(Clone)]
pub struct Source(Option<Rc<RefCell<web::Payload>>>);

/// A request body that is ready to go upstream.
pub enum Upload {
    Empty,
    /// All of it is here.
    Whole(Bytes),
    /// It can go up once; nothing is here once it began to.
    Stream(Option<RequestBody>),
}

impl Source {
    /// No body.
    pub fn none() -> Self {
        Self(None)
    }

    /// The body that a request announces.
    pub fn of(request: &HttpRequest, payload: web::Payload) -> Self {
        let announced = request.chunked().unwrap_or(false)
            || declared_length(request).is_some_and(|length| length > 0);
        Self(announced.then(|| Rc::new(RefCell::new(payload))))
    }

    /// Throws away what is left of the body; ready once it has ended, well or not.
    pub fn poll_discard(&self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(payload) = &self.0 else {
            return Poll::Ready(());
        };
        let mut payload = payload.borrow_mut();
        while let Some(Ok(_)) = ready!(Pin::new(&mut *payload).poll_next(cx)) {}
        Poll::Ready(())
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
        let mut rest = Guarded::new(request, payload, limit, edge, complaint.clone());
        let kept = edge.replay_bytes as u64;
        if length.is_some_and(|length| length > kept) {
            return Ok((Self::flowing(length, Bytes::new(), rest), complaint));
        }
        let mut begun = BytesMut::with_capacity(length.unwrap_or_default() as usize);
        while let Some(chunk) = rest.next().await {
            begun.extend_from_slice(&chunk.map_err(|_| complaint.error())?);
            if begun.len() as u64 > kept {
                return Ok((Self::flowing(length, begun.freeze(), rest), complaint));
            }
        }
        Ok((Self::Whole(begun.freeze()), complaint))
    }

    /// Whether another attempt could send the same again.
    pub fn replayable(&self) -> bool {
        !matches!(self, Self::Stream(_))
    }

    /// Whether an attempt could send it now: a stream that did not begin to flow is still here.
    pub fn at_hand(&self) -> bool {
        !matches!(self, Self::Stream(None))
    }

    /// The body for one attempt; the retry policy asks `at_hand` first.
    pub fn take(&mut self) -> RequestBody {
        match self {
            Self::Empty => RequestBody::Empty,
            Self::Whole(bytes) => RequestBody::Whole(bytes.clone()),
            Self::Stream(flow) => flow.take().expect("at_hand() was asked"),
        }
    }

    /// Takes back a body that no upstream has seen a byte of.
    pub fn give_back(&mut self, unsent: RequestBody) {
        if let Self::Stream(flow) = self {
            *flow = Some(unsent);
        }
    }

    fn flowing(length: Option<u64>, begun: Bytes, rest: Guarded) -> Self {
        let begun = stream::iter((!begun.is_empty()).then_some(Ok(begun)));
        let chunks = begun.chain(rest).boxed_local();
        Self::Stream(Some(RequestBody::stream(length, chunks)))
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
