//! Until when an answer is of use. The gateway says it in `X-Request-Timeout-Ms`; the rest of it
//! goes along with every call that the handler makes.

use crate::Error;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use std::future::{Ready, ready};
use std::time::{Duration, Instant};

/// The moment after which nobody waits for the answer.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// Time is up `budget` after `now`.
    pub fn after(now: Instant, budget: Duration) -> Self {
        Self(now + budget)
    }

    /// The moment itself.
    pub fn at(&self) -> Instant {
        self.0
    }

    /// What is left, nothing when it has passed.
    pub fn remaining(&self, now: Instant) -> Option<Duration> {
        self.0
            .checked_duration_since(now)
            .filter(|left| !left.is_zero())
    }
}

impl FromRequest for Deadline {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let found = request.extensions().get::<Self>().copied();
        ready(found.ok_or_else(|| Error::internal("the deadline middleware is not in place")))
    }
}
