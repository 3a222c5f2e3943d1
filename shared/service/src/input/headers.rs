//! Who asks, and under which key: two headers that the gateway has checked or passed on.

use crate::Error;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use std::future::{Ready, ready};
use utoipa::IntoParams;

/// Longer keys are no keys.
const MAX_KEY: usize = 128;
const MAX_SUBJECT: usize = 256;

/// The authenticated caller, set by the gateway only; absent on public routes.
#[derive(Debug, Clone)]
pub struct Subject(pub Option<String>);

/// The client's name for one unit of work, so that it runs once.
#[derive(Debug, Clone, IntoParams)]
#[into_params(parameter_in = Header, names("Idempotency-Key"))]
pub struct IdempotencyKey(
    /// The client's name for this unit of work: sent again with it, it is done once.
    #[param(min_length = 1, max_length = 128, pattern = "^[!-~]+$")]
    pub Option<String>,
);

impl FromRequest for Subject {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(visible(request, "X-Auth-Subject", MAX_SUBJECT).map(Self))
    }
}

impl FromRequest for IdempotencyKey {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(visible(request, "Idempotency-Key", MAX_KEY).map(Self))
    }
}

fn visible(
    request: &HttpRequest,
    name: &'static str,
    most: usize,
) -> Result<Option<String>, Error> {
    let mut values = request.headers().get_all(name);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Error::invalid(name, "must be sent once"));
    }
    let text = value.to_str().unwrap_or_default();
    let fits =
        !text.is_empty() && text.len() <= most && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !fits {
        return Err(Error::invalid(
            name,
            format!("must be 1 to {most} visible ASCII characters"),
        ));
    }
    Ok(Some(text.to_owned()))
}
