//! The body of an answer after which the connection must end.
//!
//! The server below has read ahead by then: requests that stand behind the refused one are decoded already, and would be served in spite of `Connection: close`.
//! So this body never ends. Its bytes go out whole, what the client still sends of its own body is thrown away for a while, and then the connection is dropped, with whatever had been read ahead.

use std::{
    fmt,
    future::Future as _,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use tokio::time::{Instant, Sleep};

use crate::forward::upload::Source;

/// The answer is with the kernel at once; this lets it arrive before the end of the connection resets what the client may still be sending.
const MOMENT: Duration = Duration::from_millis(100);
/// A client that is told off while it uploads gets this long to notice; one that was too slow is gone within two seconds of its deadline.
const LONGEST: Duration = Duration::from_secs(1);

/// The last bytes on a connection.
pub struct Parting {
    length: u64,
    bytes: Option<Bytes>,
    source: Source,
    /// The client has nothing more to send.
    drained: bool,
    pause: Pin<Box<Sleep>>,
}

/// Nothing more will be read from this connection.
#[derive(Debug)]
pub struct Parted;

impl Parting {
    /// `bytes` are the whole answer, `source` is what may be left of the request.
    pub fn new(bytes: Bytes, source: Source) -> Self {
        Self {
            length: bytes.len() as u64,
            bytes: Some(bytes),
            source,
            drained: false,
            pause: Box::pin(tokio::time::sleep(LONGEST)),
        }
    }
}

impl MessageBody for Parting {
    type Error = Parted;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.length)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Parted>>> {
        if let Some(bytes) = self.bytes.take() {
            return Poll::Ready(Some(Ok(bytes)));
        }
        if !self.drained && self.source.poll_discard(cx).is_ready() {
            self.drained = true;
            self.pause.as_mut().reset(Instant::now() + MOMENT);
        }
        self.pause.as_mut().poll(cx).map(|()| Some(Err(Parted)))
    }
}

impl fmt::Display for Parted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection ends after a request that could not be trusted")
    }
}

impl std::error::Error for Parted {}
