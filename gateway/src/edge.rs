//! The first look at a request: method, target, header block. What passes has exactly one reading.
//!
//! The parser below has already refused what it cannot read (two lengths, bad chunks, a doubled Host); this is what it lets through and we do not.
//! Whoever fails here has its connection closed where the rest of it cannot be trusted to be requests.

pub mod headers;
pub mod hop;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, StatusCode},
};

use self::headers::Checked;
use crate::{config::Edge, error::Error, path::CanonicalPath};

/// A request that may be routed.
#[derive(Debug)]
pub struct Sent<'r> {
    pub path: CanonicalPath,
    pub checked: Checked<'r>,
}

/// Reads the head of a request, once, for everybody after.
pub fn guard<'r>(request: &'r HttpRequest, edge: &Edge) -> Result<Sent<'r>, Error> {
    let method = request.method();
    if method == Method::CONNECT || method == Method::TRACE {
        return Err(Error::Method {
            allow: "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS".into(),
        });
    }
    let checked = headers::check(request.head(), edge)?;
    let uri = request.uri();
    if uri.path().len() + uri.query().map_or(0, str::len) > edge.uri_bytes {
        return Err(Error::UriTooLong);
    }
    let path = CanonicalPath::read(uri.path(), uri.query()).map_err(Error::Path)?;
    Ok(Sent { path, checked })
}

/// `OPTIONS *` asks the server itself, which has nothing to say but that it is there.
pub fn asks_the_server(request: &HttpRequest) -> Option<HttpResponse> {
    let asked = request.method() == Method::OPTIONS && request.uri().path() == "*";
    asked.then(|| HttpResponse::new(StatusCode::NO_CONTENT))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;
    use crate::config;

    fn status(method: Method, uri: &str) -> u16 {
        let request = TestRequest::with_uri(uri)
            .method(method)
            .insert_header(("host", "shop"))
            .to_http_request();
        guard(&request, &config::shipped().edge).map_or_else(|error| error.facts().status, |_| 200)
    }

    #[test]
    fn a_request_is_read_once_or_refused() {
        assert_eq!(status(Method::GET, "/api/users?x=1"), 200);
        assert_eq!(status(Method::TRACE, "/api/users"), 405);
        assert_eq!(status(Method::CONNECT, "shop:80"), 405);
        assert_eq!(status(Method::GET, "/api/../users"), 400);
        assert_eq!(status(Method::GET, &format!("/{}", "a".repeat(9000))), 414);
        assert_eq!(status(Method::GET, "http://other/"), 400);
    }

    #[test]
    fn options_star_is_answered_here() {
        let star = TestRequest::with_uri("*")
            .method(Method::OPTIONS)
            .to_http_request();
        assert_eq!(asks_the_server(&star).unwrap().status(), 204);
        let path = TestRequest::with_uri("/x")
            .method(Method::OPTIONS)
            .to_http_request();
        assert!(asks_the_server(&path).is_none());
    }
}
