//! Does to a request what was decided: two layers of the public listener, on both sides of the deadline.
//!
//! Outside it a hanging service does not even say that time is up, so [`strike`] holds there, and
//! drips. Inside it a slow service is one that answers 504 when the time is up, so [`delay`] waits there.

use super::drip::Dripping;
use super::{Faults, Kind, Plan};
use crate::Error;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{HttpMessage, HttpResponse, ResponseError};
use std::fmt;

/// Names what was done on purpose; services only, a gateway hands it on or not.
pub(crate) const FAULT: HeaderName = HeaderName::from_static("x-lictor-fault");

/// Decides, and does what has to be done outside the deadline.
pub(crate) async fn strike<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, Dripping<B>>>, actix_web::Error> {
    let faults = request.app_data::<Data<Faults>>().cloned();
    let planned = faults.and_then(|faults| {
        let plan = faults.plan(request.method().as_str(), request.path())?;
        Some((faults, plan))
    });
    let Some((faults, plan)) = planned else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    plan.kinds().for_each(|kind| faults.injected(kind));
    if let Some(id) = plan.hang {
        faults.gone(id).await;
    }
    let names = named(&plan);
    telemetry::span::annotate("lictor.fault", names.clone());
    request.extensions_mut().insert(plan.clone());
    let mut response = match next.call(request).await {
        Ok(response) => response,
        Err(error) => return Err(Marked { error, names }.into()),
    };
    mark(response.headers_mut(), &names);
    Ok(match plan.drip {
        Some((every, until)) => {
            response.map_body(|_, body| EitherBody::right(Dripping::new(body, every, until)))
        }
        None => response.map_into_left_body(),
    })
}

/// Does what was decided inside the deadline.
pub(crate) async fn delay<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    let plan = request.extensions().get::<Plan>().cloned();
    let Some(plan) = plan else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    if let Some(wait) = plan.delay {
        tokio::time::sleep(wait).await;
    }
    if let Some(status) = plan.error {
        telemetry::http::name_error(&request, "fault_injected");
        let error = Error::new(status, "fault_injected", "a fault on demand is set");
        return Ok(request.into_response(error.error_response().map_into_right_body()));
    }
    Ok(next.call(request).await?.map_into_left_body())
}

/// An error that the server makes the answer of, such as the deadline's, with the fault named.
#[derive(Debug)]
struct Marked {
    error: actix_web::Error,
    names: String,
}

impl fmt::Display for Marked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl ResponseError for Marked {
    fn status_code(&self) -> StatusCode {
        self.error.as_response_error().status_code()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = self.error.error_response();
        mark(response.headers_mut(), &self.names);
        response
    }
}

fn mark(headers: &mut HeaderMap, names: &str) {
    if let Ok(value) = HeaderValue::from_str(names) {
        headers.insert(FAULT, value);
    }
}

fn named(plan: &Plan) -> String {
    plan.kinds()
        .map(Kind::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}
