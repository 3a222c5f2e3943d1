//! One attempt on one endpoint: send, wait for the head, tell the policies what came of it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::Response;
use telemetry::http::Attempt;
use upstream::{
    Call, Lease, Outcome,
    call::Made,
    stream::{Failure, ResponseBody},
};

use crate::{
    exchange::Exchange, forward::hop::Hop, forward::shape, forward::upload::Upload, recent::Step,
};

/// An attempt that is over, with what it still holds.
pub struct Tried {
    pub lease: Lease,
    pub span: Attempt,
    /// What the policies were told.
    pub outcome: Outcome,
    /// What it was: another attempt may do better, whosever failure it is.
    pub ended: Outcome,
    pub answer: Result<Response<ResponseBody>, Failure>,
    /// From its beginning to the answer's head.
    pub took: Duration,
    /// It had too little time: running out of it is nobody's failure.
    pub late: bool,
}

/// What a request had lost before an upstream could be asked, to its client and to the gateway's own waits, and when
/// the upstream's time began.
#[derive(Clone, Copy)]
pub struct Times {
    pub lost: Duration,
    pub since: Instant,
}

impl Hop<'_> {
    /// Sends the request to the endpoint that the call leased last.
    pub async fn attempt(
        &self,
        mut lease: Lease,
        upload: &mut Upload,
        call: &mut Call,
        exchange: &Exchange<'_>,
        times: Times,
    ) -> Tried {
        let gateway = self.gateway;
        let now = Instant::now();
        let before = call.tried().len() - 1;
        let remaining = self.deadline.remaining(now).unwrap_or_default();
        let another =
            self.idempotent && upload.replayable() && before < gateway.retry.most as usize;
        let until = now + gateway.retry.attempt_timeout(remaining, another);
        let resend = u32::try_from(before).unwrap_or(u32::MAX);
        let span = lease.attempt(
            &gateway.client_metrics,
            self.request.method().as_str(),
            resend,
        );
        let body = upload.take();
        let flow = body.flow();
        let request = shape::request(self, exchange, &span, body, now);
        let sending = self
            .connections
            .send(lease.endpoint().address, request, until);
        let mut answer = call.watch(flow.as_ref(), sending).await;
        if let Some(unsent) = answer.as_mut().err().and_then(Failure::take_unsent) {
            upload.give_back(unsent);
        }
        let given = until.saturating_duration_since(now);
        let began = now;
        let now = Instant::now();
        let awaited = flow.map_or(Duration::ZERO, |flow| flow.awaited(now));
        let late = self.had_too_little(times, awaited, given);
        let came = answer.as_ref().map_or_else(Failure::outcome, outcome_of);
        let outcome = if late {
            came.clone().in_too_little_time()
        } else {
            came.clone()
        };
        lease.waited_for_client(awaited);
        lease.settle(&outcome, now);
        Tried {
            lease,
            span,
            outcome,
            ended: came,
            answer,
            took: now.saturating_duration_since(began),
            late,
        }
    }

    /// Whether the service was given too little time: the client, while its body was `awaited` or before, and the
    /// gateway's own waits had used up more than was left, or another service did before this one stood in.
    fn had_too_little(&self, times: Times, awaited: Duration, given: Duration) -> bool {
        let began = times.since + awaited;
        let late = self.deadline.leaves_too_little(times.lost + awaited, began);
        late || (self.stands_in && given < self.upstream.pool.config().timeout())
    }
}

impl Tried {
    /// What is remembered of it; `last` says why no other follows.
    pub fn step(&self, upstream: &Arc<str>, last: Option<&'static str>) -> Step {
        let answered = self.answer.as_ref().map(|answer| answer.status().as_u16());
        let made = Made {
            lease: &self.lease,
            ended: answered.map_err(Failure::error_type),
            took: self.took,
            last,
        };
        Step::of(upstream, &made)
    }

    /// Another attempt follows: what this one brought is dropped, and its connection with it.
    pub fn give_up(self) {
        let result = self.answer.map(|answer| answer.status().as_u16());
        self.span
            .finish(result.map_err(|failure| failure.error_type()));
    }
}

fn outcome_of(answer: &Response<ResponseBody>) -> Outcome {
    let after = answer.headers().get(http::header::RETRY_AFTER);
    let seconds = after.and_then(|value| value.to_str().ok()?.trim().parse().ok());
    Outcome::Answered {
        status: answer.status().as_u16(),
        retry_after: seconds.map(Duration::from_secs),
    }
}
