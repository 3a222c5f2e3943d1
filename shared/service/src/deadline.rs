//! Reads how long an answer is of use, refuses what is late already, and stops work when time is up.

use crate::Error;
use crate::input::Deadline;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, ResponseError, web};
use std::time::{Duration, Instant};

/// How the gateway and callers between services say it, in milliseconds.
const REQUEST_TIMEOUT_MS: &str = "x-request-timeout-ms";

tokio::task_local! {
    /// The deadline of the request that this task works on, for what is done deep below its handler.
    /// A task of its own has none: it was spawned because it must end whoever waits.
    static CURRENT: upstream::Deadline;
}

/// The deadline of the request that is being worked on, if any.
pub(crate) fn current() -> Option<upstream::Deadline> {
    CURRENT.try_with(|deadline| *deadline).ok()
}

/// The deadline of a request that brought none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DefaultTimeout(pub Duration);

/// Puts a [`Deadline`] into the request and answers 504 `deadline_exceeded` when it has passed.
pub(crate) async fn enforce<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    let now = Instant::now();
    let budget = match budget(&request) {
        Ok(budget) => budget,
        Err(error) => return Ok(refuse(request, &error)),
    };
    if budget.is_zero() {
        return Ok(refuse(request, &exceeded()));
    }
    let deadline = upstream::Deadline::after(now, budget);
    request.extensions_mut().insert(Deadline(deadline));
    let work = CURRENT.scope(deadline, next.call(request));
    // A copy of the request would make the router panic, so the refusal travels as an error.
    match tokio::time::timeout_at(deadline.at().into(), work).await {
        Ok(response) => Ok(response?.map_into_left_body()),
        Err(_) => Err(exceeded().into()),
    }
}

fn budget(request: &ServiceRequest) -> Result<Duration, Error> {
    let Some(value) = request.headers().get(REQUEST_TIMEOUT_MS) else {
        let default = request.app_data::<web::Data<DefaultTimeout>>();
        return Ok(default.map_or(Duration::from_secs(10), |default| default.0));
    };
    let millis = value
        .to_str()
        .ok()
        .and_then(|text| text.parse::<u32>().ok());
    let millis = millis
        .ok_or_else(|| Error::invalid("X-Request-Timeout-Ms", "must be whole milliseconds"))?;
    Ok(Duration::from_millis(u64::from(millis)))
}

/// What a caller is told whose time is up.
pub(crate) fn exceeded() -> Error {
    Error::new(
        504,
        "deadline_exceeded",
        "the time given for this request is used up",
    )
}

fn refuse<B>(request: ServiceRequest, error: &Error) -> ServiceResponse<EitherBody<B>> {
    request.into_response(error.error_response().map_into_right_body())
}
