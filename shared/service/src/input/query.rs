//! The query string, parsed strictly.

use super::refused;
use crate::Error;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use serde::de::DeserializeOwned;
use std::future::{Ready, ready};

/// The query string as `T`; unknown keys are refused if `T` denies them.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Query<T> {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(parse(request.query_string()).map(Self))
    }
}

fn parse<T: DeserializeOwned>(query: &str) -> Result<T, Error> {
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
    serde_path_to_error::deserialize(pairs).map_err(|error| {
        refused(
            error.path().to_string(),
            &error.inner().to_string(),
            "query",
        )
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::input::Page;

    #[test]
    fn a_page_has_defaults_and_limits() {
        let page: Page = parse("").unwrap();
        assert_eq!((page.limit(), page.after()), (20, None));
        let page: Page = parse("limit=100&after=x").unwrap();
        assert_eq!((page.limit(), page.after()), (100, Some("x")));
        for bad in [
            "limit=0",
            "limit=101",
            "limit=-1",
            "limit=many",
            "colour=red",
        ] {
            assert!(parse::<Page>(bad).is_err(), "{bad}");
        }
    }
}
