//! Until when an answer is of use. The gateway says it in `X-Request-Timeout-Ms`; the rest of it
//! goes along with every call that the handler makes.

use crate::Error;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use std::future::{Ready, ready};

/// The moment after which nobody waits for the answer, ready to be handed on to calls.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(pub upstream::Deadline);

impl FromRequest for Deadline {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let found = request.extensions().get::<Self>().copied();
        ready(found.ok_or_else(|| Error::internal("the deadline middleware is not in place")))
    }
}
