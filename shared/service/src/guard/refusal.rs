//! The answer to what never became a request: written by the guard itself, whole, with a name to ask for it.

use crate::Error;
use actix_web::ResponseError as _;
use actix_web::body::MessageBody as _;
use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use std::net::SocketAddr;
use uuid::Uuid;

/// The last bytes on a connection. One line is logged, because no request will be.
pub(super) fn refusal(status: StatusCode, client: SocketAddr) -> Bytes {
    let (code, detail) = match status {
        StatusCode::REQUEST_TIMEOUT => ("head_too_slow", "the head of the request came too slowly"),
        StatusCode::EXPECTATION_FAILED => (
            "expectation_failed",
            "wait for the answer before the next request expects anything",
        ),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => (
            "head_too_large",
            "the head has too many headers or too many bytes",
        ),
        _ => (
            "malformed_request",
            "this is not a request that has one reading",
        ),
    };
    let request_id = Uuid::now_v7();
    tracing::info!(status = status.as_u16(), code, %client, %request_id, "connection refused");
    let problem = Error::new(status.as_u16(), code, detail).error_response();
    let body = problem
        .into_body()
        .try_into_bytes()
        .expect("a problem document is whole");
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {}\r\nContent-Length: {}\r\nX-Request-Id: {request_id}\r\nConnection: close\r\n\r\n",
        crate::error::PROBLEM_JSON,
        body.len(),
    );
    [head.as_bytes(), &body].concat().into()
}

/// The status of an answer whose first bytes these are.
pub(super) fn status_of(answer: &[u8]) -> StatusCode {
    const VERSION: usize = "HTTP/1.1 ".len();
    answer
        .get(VERSION..VERSION + 3)
        .and_then(|digits| StatusCode::from_bytes(digits).ok())
        .unwrap_or(StatusCode::BAD_REQUEST)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_a_whole_answer_with_a_problem_and_a_name() {
        let client = "192.0.2.1:7".parse().unwrap();
        let refused = refusal(status_of(b"HTTP/1.1 431 Too Large\r\n\r\n"), client);
        let text = String::from_utf8(refused.to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
        assert!(head.contains("\r\nX-Request-Id: "), "{head}");
        assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())));
        let problem: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(problem["code"], "head_too_large");
    }
}
