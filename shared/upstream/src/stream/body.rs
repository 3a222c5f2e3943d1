//! The two bodies of a hop. A known length stays known; a cut body is an error, never an end.

use super::connections::Loan;
use super::flow::{Flow, Flowing};
use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::LocalBoxStream;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What goes up.
pub enum RequestBody {
    /// No body at all.
    Empty,
    /// All of it is here; it can be sent again.
    Whole(Bytes),
    /// It flows through once.
    Stream(Flowing),
}

/// What comes down.
pub struct ResponseBody {
    incoming: Incoming,
    loan: Option<Loan>,
}

/// The upstream ended its body before its length or last chunk.
#[derive(Debug)]
pub struct Cut(hyper::Error);

impl RequestBody {
    /// A body that flows through once. An unknown length travels chunked; an error in its parts aborts the connection to
    /// the upstream.
    pub fn stream(
        length: Option<u64>,
        chunks: LocalBoxStream<'static, Result<Bytes, io::Error>>,
    ) -> Self {
        Self::Stream(Flowing::new(length, chunks))
    }

    /// What tells how far it has come, if it flows.
    pub fn flow(&self) -> Option<Flow> {
        match self {
            Self::Stream(flowing) => Some(flowing.flow()),
            Self::Empty | Self::Whole(_) => None,
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Stream(flowing) => Pin::new(flowing)
                .poll_next(context)
                .map(|next| next.map(|chunk| chunk.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Stream(flowing) => flowing.length() == Some(0),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(flowing) => flowing
                .length()
                .map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}

impl ResponseBody {
    pub(super) fn new(incoming: Incoming, loan: Loan) -> Self {
        let mut body = Self {
            incoming,
            loan: Some(loan),
        };
        if body.is_end_stream() {
            body.give_back();
        }
        body
    }

    /// The declared length in bytes, if the upstream declared one.
    pub fn length(&self) -> Option<u64> {
        self.incoming.size_hint().exact()
    }

    /// Whether nothing more will come.
    pub fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn give_back(&mut self) {
        if let Some(loan) = self.loan.take() {
            loan.give_back();
        }
    }
}

impl Stream for ResponseBody {
    type Item = Result<Bytes, Cut>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let next = std::task::ready!(Pin::new(&mut self.incoming).poll_frame(context));
            match next {
                None => {
                    self.give_back();
                    return Poll::Ready(None);
                }
                Some(Err(error)) => {
                    self.loan = None;
                    return Poll::Ready(Some(Err(Cut(error))));
                }
                // Trailers are not passed on: what is forwarded has one framing only.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        if self.is_end_stream() {
                            self.give_back();
                        }
                        return Poll::Ready(Some(Ok(data)));
                    }
                    Err(_) => continue,
                },
            }
        }
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Whole(bytes) => write!(f, "Whole({} bytes)", bytes.len()),
            Self::Stream(flowing) => write!(f, "Stream({:?})", flowing.length()),
        }
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResponseBody({:?})", self.length())
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the upstream's body was cut: {}", self.0)
    }
}

impl std::error::Error for Cut {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}
