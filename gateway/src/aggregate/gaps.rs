//! Putting an aggregate together from the parts that came, and saying which did not.

use actix_web::{
    HttpResponse,
    http::header::{HeaderName, HeaderValue},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{error::Error, metrics::Metrics};

/// Whether every part is there.
pub const X_GATEWAY_COMPLETE: HeaderName = HeaderName::from_static("x-gateway-complete");

/// The parts that are there, and the names of those that are not.
#[derive(Serialize, ToSchema)]
pub(crate) struct Joined<T> {
    #[serde(flatten)]
    parts: T,
    partial: bool,
    missing: Vec<&'static str>,
}

/// Collects what is missing.
pub struct Gaps<'a> {
    aggregate: &'static str,
    metrics: &'a Metrics,
    missing: Vec<&'static str>,
    first: Option<Error>,
}

impl<'a> Gaps<'a> {
    /// Nothing is missing yet.
    pub fn new(aggregate: &'static str, metrics: &'a Metrics) -> Self {
        Self {
            aggregate,
            metrics,
            missing: Vec::new(),
            first: None,
        }
    }

    /// The part, if its branch brought it.
    pub fn part<T>(&mut self, name: &'static str, result: Result<T, Error>) -> Option<T> {
        result
            .map_err(|error| {
                tracing::warn!(
                    aggregate = self.aggregate,
                    part = name,
                    code = error.label(),
                    "a part is missing"
                );
                self.metrics.missing(self.aggregate, name);
                self.missing.push(name);
                self.first.get_or_insert(error);
            })
            .ok()
    }

    /// The answer, unless nothing is there at all.
    pub fn join(self, of: usize, parts: impl Serialize) -> Result<HttpResponse, Error> {
        match self.first {
            Some(first) if self.missing.len() == of => Err(first),
            _ => Ok(complete(&Joined {
                parts,
                partial: !self.missing.is_empty(),
                missing: self.missing,
            })),
        }
    }
}

fn complete<T: Serialize>(joined: &Joined<T>) -> HttpResponse {
    let complete = HeaderValue::from_static(if joined.partial { "false" } else { "true" });
    HttpResponse::Ok()
        .insert_header((X_GATEWAY_COMPLETE, complete))
        .json(joined)
}
