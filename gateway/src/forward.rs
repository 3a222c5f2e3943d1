//! One request's way through an upstream: admission, attempts, and the answer that is passed on.
//!
//! The service's breaker is asked once, an endpoint is leased for each attempt, and `resilience::retry` says whether there is another one.
//! A retry's endpoint is leased before the answer at hand is given up: a bad answer is better than none.
//! The client hears of an answer only after that; from its first byte on nothing is tried again.
//! An answer that may be given again (`kept.rs`) is read whole before that, so that a cut one is a failure that something can stand in for; every other flows.
//! What goes up is written by `forward/shape.rs`, what comes down flows through `forward/download.rs`.

pub mod again;
pub mod answer;
pub mod attempt;
pub mod download;
pub mod guarded;
pub mod hop;
pub mod introduction;
pub mod shape;
pub mod upload;

use std::{sync::Arc, time::Instant};

use actix_web::http::StatusCode;
use tokio::time::timeout_at;
use upstream::{
    Call, Lease, Over,
    stream::{Failure, FailureKind},
};

use self::{
    answer::Framing,
    attempt::{Times, Tried},
    download::{Broken, Download, Held},
    guarded::Complaint,
    hop::{Answered, Hop},
    upload::{Source, Upload},
};
use crate::{
    error::Error,
    exchange::{Exchange, Served},
    kept::{self, Kept},
};

/// Sends the request upstream and passes the answer on.
pub async fn forward(
    hop: &Hop<'_>,
    source: &Source,
    exchange: &mut Exchange<'_>,
) -> Result<Answered, Error> {
    let reading = Upload::read(hop.request, source, hop.route.body_limit, &hop.gateway.edge);
    let read = timeout_at(hop.deadline.at().into(), reading).await;
    let (mut upload, complaint) = read.unwrap_or(Err(Error::BodyTooSlow))?;
    let started = Instant::now();
    let times = Times {
        lost: started.saturating_duration_since(hop.began),
        since: started,
    };
    hop.upstream.pool.budget().request(started);
    let mut call = hop
        .upstream
        .pool
        .admit(started)
        .map_err(|error| hop.failed(error))?;
    let mut lease = call
        .lease(hop.idempotent, started)
        .map_err(|error| hop.failed(error))?;
    let mut last = loop {
        let mut over = hop
            .attempt(lease, &mut upload, &mut call, exchange, times)
            .await;
        let another = hop.another(&mut over, &mut call, &upload).await;
        exchange.tried(over.step(&hop.upstream.name, another.as_ref().err().copied()));
        match another {
            Ok(next) => lease = next,
            Err(_) => break over,
        }
        over.give_up();
    };
    exchange.served = Some(served(&last.lease, call.tried().len(), started));
    last.lease.carry(call.settle(&last.outcome, Instant::now()));
    hop.deliver(last, &complaint, exchange).await
}

impl Hop<'_> {
    /// The lease for another attempt, after the wait that comes before it, or why there is to be none.
    async fn another(
        &self,
        over: &mut Tried,
        call: &mut Call,
        upload: &Upload,
    ) -> Result<Lease, &'static str> {
        let ended = Over {
            idempotent: self.idempotent,
            outcome: &over.ended,
            written: over
                .answer
                .as_ref()
                .map_or_else(|failure| failure.written, |_| true),
            replayable: upload.at_hand(),
        };
        call.another(&self.gateway.retry, ended, self.deadline, &mut over.lease)
            .await
    }

    /// The client's answer: the upstream's, or an error that says why there is none.
    async fn deliver(
        &self,
        last: Tried,
        complaint: &Complaint,
        exchange: &mut Exchange<'_>,
    ) -> Result<Answered, Error> {
        let Tried {
            lease,
            mut span,
            answer,
            late,
            ..
        } = last;
        let response = match answer {
            Ok(response) => response,
            Err(failure) => {
                span.finish(Err(failure.error_type()));
                return Err(self.explain(&failure, complaint));
            }
        };
        let status = response.status().as_u16();
        span.answered(status);
        let (head, body) = response.into_parts();
        if is_draining(&head.headers) {
            lease.rest_draining(Instant::now());
        }
        let announced = head
            .headers
            .get(http::header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse().ok());
        let code = StatusCode::from_u16(status).expect("both header crates know the same statuses");
        let framing = Framing::of(self.request.method(), code, body.length(), announced);
        let held = Held {
            lease,
            span,
            place: exchange.place.clone(),
        };
        let body = Download::new(body, framing, status, held, self.gateway.edge.answer_idle());
        let out = answer::head(code, &head.headers, self.stripped());
        if self.may_be_kept(code, &head.headers, framing) {
            let read = body.whole(self.deadline.at(), late).await;
            let read = read.map_err(|broken| self.cut(&broken))?;
            return Ok(Answered::Whole(Arc::new(Kept::new(&out, read))));
        }
        let version = self.request.version();
        Ok(Answered::Flowing(answer::with_body(
            out, framing, version, body,
        )))
    }

    fn may_be_kept(&self, code: StatusCode, headers: &http::HeaderMap, framing: Framing) -> bool {
        let small = |most| {
            matches!(framing, Framing::Known(length) if length <= most) && code == StatusCode::OK
        };
        self.whole.is_some_and(small) && kept::may_be_given_again(headers)
    }

    /// What came off the front of the path, and has to go back in front of the upstream's own paths.
    fn stripped(&self) -> &str {
        &self.sent.path.path()[..self.stripped]
    }

    fn cut(&self, broken: &Broken) -> Error {
        let name = &*self.upstream.name;
        self.failed(match broken {
            Broken::Late => upstream::Error::timeout(name),
            Broken::Cut(_) | Broken::Stalled(_) => upstream::Error::bad_answer(name, broken),
        })
    }

    fn explain(&self, failure: &Failure, complaint: &Complaint) -> Error {
        let name = &*self.upstream.name;
        let why = failure.error_type();
        tracing::debug!(upstream = name, %failure, written = failure.written, "no answer");
        match failure.kind {
            FailureKind::RequestBody => complaint.error(),
            FailureKind::RequestLate => Error::BodyTooSlow,
            FailureKind::Timeout => self.failed(upstream::Error::timeout(name)),
            FailureKind::BadAnswer => self.failed(upstream::Error::bad_answer(name, why)),
            FailureKind::ConnectRefused | FailureKind::ConnectTimeout | FailureKind::Reset => {
                self.failed(upstream::Error::unreachable(name, why))
            }
        }
    }

    fn failed(&self, error: upstream::Error) -> Error {
        Error::Upstream(error)
    }
}

/// Both headers together: servers close connections for many reasons.
fn is_draining(headers: &http::HeaderMap) -> bool {
    let says = |name: &str, word: &str| {
        headers
            .get(name)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(word.as_bytes()))
    };
    says("x-service-draining", "1") && says("connection", "close")
}

fn served(lease: &Lease, attempts: usize, started: Instant) -> Served {
    let endpoint = lease.endpoint();
    Served {
        instance: endpoint.id.clone(),
        zone: endpoint.zone.clone(),
        reason: lease.reason().as_str(),
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        took: started.elapsed(),
    }
}
