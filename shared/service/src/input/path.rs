//! A parameter of the path, parsed into its type.

use super::refused;
use crate::Error;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use serde::de::DeserializeOwned;
use std::future::{Ready, ready};

/// The path's parameters as `T`: a single value, a tuple, or a struct.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Path<T> {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let first = request
            .match_info()
            .iter()
            .next()
            .map_or("path", |(name, _)| name)
            .to_owned();
        let parsed = web::Path::<T>::from_request(request, payload).into_inner();
        ready(match parsed {
            Ok(path) => Ok(Self(path.into_inner())),
            Err(error) => Err(refused(String::new(), &error.to_string(), &first)),
        })
    }
}
