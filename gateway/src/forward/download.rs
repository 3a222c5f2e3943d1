//! The upstream's answer body on its way out, and what is held until it ends: the lease, the span, the place in the gateway.
//!
//! It flows as fast as the client reads, with no buffer here.
//! A body that is cut, or stands still for too long, is an error and never an end: the server below then drops the client's connection, so that no cut answer looks complete.
//! Dropped early (the client left), everything held is given back and counts against nobody.

use std::{
    fmt,
    future::{Future as _, poll_fn},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use actix_web::body::{BodySize, MessageBody};
use bytes::{Bytes, BytesMut};
use futures_util::Stream as _;
use telemetry::http::Attempt;
use tokio::time::{Sleep, timeout_at};
use upstream::{
    Lease,
    stream::{Cut, ResponseBody},
};

use crate::{forward::answer::Framing, shed::Place};

/// A body that flows through.
pub struct Download {
    body: ResponseBody,
    framing: Framing,
    status: u16,
    lease: Lease,
    /// Taken when the attempt is over; dropped unfinished it counts as cancelled.
    span: Option<Attempt>,
    _place: Option<Rc<Place>>,
    idle: Duration,
    /// Made at the first pause; armed while we wait for the upstream.
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

/// What an answer holds until its end.
pub struct Held {
    pub lease: Lease,
    pub span: Attempt,
    pub place: Option<Rc<Place>>,
}

/// Why a body did not end well.
#[derive(Debug)]
pub enum Broken {
    Cut(Cut),
    Stalled(Duration),
    /// There was too little time for it.
    Late,
}

impl Download {
    /// A body whose head was answered with `status`; pauses longer than `idle` cut it.
    pub fn new(
        body: ResponseBody,
        framing: Framing,
        status: u16,
        held: Held,
        idle: Duration,
    ) -> Self {
        let Held { lease, span, place } = held;
        let mut download = Self {
            body,
            framing,
            status,
            lease,
            span: Some(span),
            _place: place,
            idle,
            timer: None,
            waiting: false,
        };
        if matches!(framing, Framing::Nothing(_)) || download.body.is_end_stream() {
            download.ended();
        }
        download
    }

    /// All of it, if it comes whole and in time; `late` when that is too little to blame the upstream.
    pub async fn whole(mut self, until: Instant, late: bool) -> Result<Bytes, Broken> {
        let reading = async {
            let mut read = BytesMut::with_capacity(self.framing.known());
            while let Some(chunk) = poll_fn(|cx| Pin::new(&mut self).poll_next(cx)).await {
                read.extend_from_slice(&chunk?);
            }
            Ok(read.freeze())
        };
        let began = Instant::now();
        match timeout_at(until.into(), reading).await {
            Ok(read) => read,
            Err(_) if late => Err(self.failed(Broken::Late)),
            Err(_) => Err(self.give_up(Broken::Stalled(began.elapsed()))),
        }
    }

    fn ended(&mut self) {
        if let Some(span) = self.span.take() {
            span.finish(Ok(self.status));
        }
    }

    fn give_up(&mut self, broken: Broken) -> Broken {
        self.lease.body_cut(Instant::now());
        self.failed(broken)
    }

    fn failed(&mut self, broken: Broken) -> Broken {
        if let Some(span) = self.span.take() {
            span.finish(Err(broken.error_type()));
        }
        broken
    }

    fn broke(&mut self, broken: Broken) -> Poll<Option<Result<Bytes, Broken>>> {
        Poll::Ready(Some(Err(self.give_up(broken))))
    }

    /// Whether the upstream has been silent for too long.
    fn stalled(&mut self, cx: &mut Context<'_>) -> bool {
        let idle = self.idle;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(idle)));
        if !std::mem::replace(&mut self.waiting, true) {
            timer.as_mut().reset((Instant::now() + idle).into());
        }
        timer.as_mut().poll(cx).is_ready()
    }
}

impl MessageBody for Download {
    type Error = Broken;

    fn size(&self) -> BodySize {
        match self.framing {
            Framing::Nothing(_) => BodySize::None,
            Framing::Known(length) => BodySize::Sized(length),
            Framing::Unknown => BodySize::Stream,
        }
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Broken>>> {
        let polled = Pin::new(&mut self.body).poll_next(cx);
        if polled.is_pending() {
            let idle = self.idle;
            return if self.stalled(cx) {
                self.broke(Broken::Stalled(idle))
            } else {
                Poll::Pending
            };
        }
        self.waiting = false;
        match ready!(polled) {
            Some(Ok(chunk)) => Poll::Ready(Some(Ok(chunk))),
            Some(Err(cut)) => self.broke(Broken::Cut(cut)),
            None => {
                self.ended();
                Poll::Ready(None)
            }
        }
    }
}

impl Broken {
    fn error_type(&self) -> &'static str {
        match self {
            Self::Cut(_) => "body_cut",
            Self::Stalled(_) => "body_stalled",
            Self::Late => "timeout",
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut(cut) => write!(f, "{cut}"),
            Self::Late => f.write_str("there was no time left for the upstream's body"),
            Self::Stalled(idle) => write!(f, "the upstream's body stood still for {idle:?}"),
        }
    }
}

impl std::error::Error for Broken {}
