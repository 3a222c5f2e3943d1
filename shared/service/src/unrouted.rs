//! What no route of a listener matches is a problem too, never an empty 404 or 405.

use crate::Error;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{ALLOW, CONTENT_TYPE};
use actix_web::middleware::ErrorHandlerResponse;
use actix_web::{HttpResponse, ResponseError};

/// A path that nothing serves.
pub(crate) async fn no_route() -> HttpResponse {
    Error::new(404, "no_route", "nothing is served at this path").error_response()
}

/// A method that its path does not know: actix answers 405 without a body.
pub(crate) fn no_method<B>(
    response: ServiceResponse<B>,
) -> actix_web::Result<ErrorHandlerResponse<B>> {
    if response.headers().contains_key(CONTENT_TYPE) {
        return Ok(ErrorHandlerResponse::Response(
            response.map_into_left_body(),
        ));
    }
    let (request, answered) = response.into_parts();
    let method = plain(request.method().as_str());
    let mut problem = Error::new(
        405,
        "method_not_allowed",
        format!("{method} is not served at this path"),
    )
    .error_response();
    if let Some(allow) = answered.headers().get(ALLOW) {
        problem.headers_mut().insert(ALLOW, allow.clone());
    }
    let problem = problem.map_into_boxed_body().map_into_right_body();
    Ok(ErrorHandlerResponse::Response(ServiceResponse::new(
        request, problem,
    )))
}

/// A client's word, fit for a sentence: visible ASCII, cut short.
fn plain(word: &str) -> String {
    word.chars()
        .filter(char::is_ascii_graphic)
        .take(32)
        .collect()
}
