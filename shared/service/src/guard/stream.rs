//! A client's socket under guard: where bytes come and go, and where waiting ends.
//!
//! One timer serves all deadlines of a connection. It is moved only when a deadline comes before it, or when it has rung too early, so a busy connection moves it about once in a head's deadline and not once in a request.
//! The server below flushes at the end of each of its turns, whatever it did in it; that is where a deadline is looked at, unless a write stands still, which is timed there.

use super::Times;
use super::addresses::Place;
use super::metrics::Metrics;
use super::refusal::{refusal, status_of};
use super::watch::{Deadline, Watch};
use actix_web::http::StatusCode;
use actix_web::rt::net::TcpStream;
use actix_web::web::{Buf as _, Bytes};
use std::future::Future as _;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// What the server below writes when a client expects it.
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// One connection of a client.
pub(super) struct Guarded {
    socket: TcpStream,
    peer: SocketAddr,
    watch: Rc<Watch>,
    times: Times,
    timer: Pin<Box<Sleep>>,
    /// Since when the socket takes nothing of what we have for it.
    stalled: Option<Instant>,
    /// Bytes of the guard's own, to be written before anything else.
    own: Bytes,
    /// The parser gave up: what the server below still writes is replaced.
    refused: bool,
    metrics: Metrics,
    _place: Option<Place>,
}

impl Guarded {
    /// A connection that was accepted now.
    pub(super) fn new(
        socket: TcpStream,
        peer: SocketAddr,
        place: Option<Place>,
        times: Times,
        metrics: Metrics,
    ) -> Self {
        let now = Instant::now();
        metrics.open.inc();
        Self {
            socket,
            peer,
            watch: Rc::new(Watch::new(now)),
            times,
            timer: Box::pin(tokio::time::sleep_until((now + times.head).into())),
            stalled: None,
            own: Bytes::new(),
            refused: false,
            metrics,
            _place: place,
        }
    }

    /// The cell that the application tells what it sees.
    pub(super) fn watch(&self) -> Rc<Watch> {
        self.watch.clone()
    }

    /// Ready once `at` has passed.
    fn poll_until(&mut self, cx: &mut Context<'_>, at: Instant) -> Poll<()> {
        loop {
            if self.timer.deadline() > at.into() {
                self.timer.as_mut().reset(at.into());
            }
            ready!(self.timer.as_mut().poll(cx));
            if Instant::now() >= at {
                return Poll::Ready(());
            }
            // It rang for an earlier deadline, which has been met.
            self.timer.as_mut().reset(at.into());
        }
    }

    /// Writes to the socket; an error when it has taken nothing for too long.
    fn poll_socket(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write(cx, bytes);
        if polled.is_ready() {
            self.stalled = None;
            return polled;
        }
        let since = *self.stalled.get_or_insert_with(Instant::now);
        ready!(self.poll_until(cx, since + self.times.stall));
        self.metrics.write_stall.inc();
        tracing::info!(client = %self.peer, "an answer was not read, connection closed");
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_own(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.own.is_empty() {
            let bytes = self.own.clone();
            let written = ready!(self.poll_socket(cx, &bytes))?;
            self.own.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    /// How much of what the server below writes is swallowed: its own refusals, and invitations that are not due.
    fn swallowed(&mut self, bytes: &[u8]) -> usize {
        if self.refused {
            return bytes.len();
        }
        if self.watch.is_unasked() {
            self.refused = true;
            self.metrics.malformed.inc();
            self.own = refusal(status_of(bytes), self.peer);
            return bytes.len();
        }
        if self.watch.keeps_back(bytes.starts_with(CONTINUE)) {
            return CONTINUE.len();
        }
        0
    }

    /// Ends a connection whose client let us wait too long.
    fn give_up(&mut self, cx: &mut Context<'_>, deadline: Deadline) -> io::Error {
        if let Deadline::Head(_) = deadline
            && !self.refused
        {
            self.metrics.head_timeout.inc();
            self.own = refusal(StatusCode::REQUEST_TIMEOUT, self.peer);
            // A client that takes no answer gets none.
            let _ = self.poll_own(cx);
        }
        io::ErrorKind::TimedOut.into()
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.socket).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.watch.came(Instant::now);
        }
        polled
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_own(cx))?;
        match self.swallowed(bytes) {
            0 => self.poll_socket(cx, bytes),
            some => Poll::Ready(Ok(some)),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.watch.take_invitation() {
            self.own = Bytes::from_static(CONTINUE);
        }
        ready!(self.poll_own(cx))?;
        self.watch.flushed();
        if self.watch.is_over() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        if let Some(deadline) = self.watch.deadline(&self.times)
            && self.poll_until(cx, deadline.at()).is_ready()
        {
            return Poll::Ready(Err(self.give_up(cx, deadline)));
        }
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_own(cx))?;
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.metrics.open.dec();
    }
}
