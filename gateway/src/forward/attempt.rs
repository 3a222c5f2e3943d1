//! One attempt on one endpoint: send, wait for the head, tell the policies what came of it.

use std::time::{Duration, Instant};

use http::Response;
use telemetry::http::Attempt;
use upstream::{
    Call, Lease, Outcome,
    stream::{Failure, ResponseBody},
};

use crate::{exchange::Exchange, forward::Hop, forward::shape, forward::upload::Upload};

/// An attempt that is over, with what it still holds.
pub struct Tried {
    pub lease: Lease,
    pub span: Attempt,
    pub outcome: Outcome,
    pub answer: Result<Response<ResponseBody>, Failure>,
}

impl Hop<'_> {
    /// Sends the request to the leased endpoint; `before` attempts were made already.
    pub async fn attempt(
        &self,
        mut lease: Lease,
        upload: &mut Upload,
        call: &mut Call,
        exchange: &Exchange<'_>,
        before: usize,
    ) -> Tried {
        let gateway = self.gateway;
        let now = Instant::now();
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
        let request = shape::request(self, exchange, &span, upload.take(), now);
        let sending = self
            .connections
            .send(lease.endpoint().address, request, until);
        let mut answer = call.watch(sending).await;
        if let Some(unsent) = answer.as_mut().err().and_then(Failure::take_unsent) {
            upload.give_back(unsent);
        }
        let outcome = answer.as_ref().map_or_else(Failure::outcome, outcome_of);
        lease.settle(&outcome, Instant::now());
        Tried {
            lease,
            span,
            outcome,
            answer,
        }
    }
}

impl Tried {
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
