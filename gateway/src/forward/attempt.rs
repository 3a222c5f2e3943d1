//! One attempt on one endpoint: send, wait for the head, tell the policies what came of it.

use std::time::{Duration, Instant};

use http::Response;
use telemetry::http::Attempt;
use upstream::{
    Call, Lease, Outcome,
    stream::{Failure, ResponseBody},
};

use crate::{exchange::Exchange, forward::hop::Hop, forward::shape, forward::upload::Upload};

/// An attempt that is over, with what it still holds.
pub struct Tried {
    pub lease: Lease,
    pub span: Attempt,
    pub outcome: Outcome,
    pub answer: Result<Response<ResponseBody>, Failure>,
}

impl Hop<'_> {
    /// Sends the request to the endpoint that the call leased last.
    pub async fn attempt(
        &self,
        mut lease: Lease,
        upload: &mut Upload,
        call: &mut Call,
        exchange: &Exchange<'_>,
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
        let outcome = match answer.as_ref().map_or_else(Failure::outcome, outcome_of) {
            Outcome::AttemptTimeout if self.had_too_little(given) => Outcome::DeadlineShort,
            outcome => outcome,
        };
        let now = Instant::now();
        if let Some(flow) = flow {
            lease.count_from(flow.ended(now));
        }
        lease.settle(&outcome, now);
        Tried {
            lease,
            span,
            outcome,
            answer,
        }
    }

    /// Whether the service was given less time than a call to it has, because another one had used it up.
    fn had_too_little(&self, given: Duration) -> bool {
        self.stands_in && given < self.upstream.pool.config().timeout()
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
