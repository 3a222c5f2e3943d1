//! The name of one request, the same in the answer, upstream and in the logs.
//!
//! A client's `X-Request-Id`, or `X-Correlation-ID` in its place, is taken when it is well formed; everything else gets a new one.
//! New ones are UUIDs of version 7: they sort by time.

use actix_web::http::header::{HeaderMap, HeaderValue};
use bytes::Bytes;
use uuid::Uuid;

/// The header under which a request is named, both ways.
pub const REQUEST_ID: &str = "x-request-id";
const CORRELATION_ID: &str = "x-correlation-id";

/// Long enough for every scheme in use, short enough for a log line.
const LONGEST: usize = 128;

/// A well-formed request id. Shared, because both header crates and the log need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Bytes);

impl RequestId {
    /// The id that the client gave, else a new one.
    pub fn of(headers: &HeaderMap) -> Self {
        well_formed(headers, REQUEST_ID)
            .or_else(|| well_formed(headers, CORRELATION_ID))
            .unwrap_or_else(Self::new)
    }

    fn new() -> Self {
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        Uuid::now_v7().as_hyphenated().encode_lower(&mut text);
        Self(Bytes::copy_from_slice(&text))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a request id is ASCII")
    }

    /// For the answer.
    pub fn to_answer(&self) -> HeaderValue {
        HeaderValue::from_maybe_shared(self.0.clone()).expect("a request id is visible ASCII")
    }

    /// For the upstream request.
    pub fn to_upstream(&self) -> http::HeaderValue {
        http::HeaderValue::from_maybe_shared(self.0.clone()).expect("a request id is visible ASCII")
    }
}

/// The value of the header when there is exactly one and nothing in it could break a log or a shell.
fn well_formed(headers: &HeaderMap, name: &str) -> Option<RequestId> {
    let mut values = headers.get_all(name);
    let (value, None) = (values.next()?.as_bytes(), values.next()) else {
        return None;
    };
    let harmless = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(byte);
    let fits = (1..=LONGEST).contains(&value.len()) && value.iter().all(harmless);
    fits.then(|| RequestId(Bytes::copy_from_slice(value)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use actix_web::http::header::HeaderName;

    use super::*;

    fn id(sent: &[(&'static str, &'static str)]) -> RequestId {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        RequestId::of(&headers)
    }

    #[test]
    fn a_well_formed_id_is_taken() {
        assert_eq!(id(&[(REQUEST_ID, "abc-1")]).as_str(), "abc-1");
        assert_eq!(id(&[(CORRELATION_ID, "abc-2")]).as_str(), "abc-2");
        assert_eq!(
            id(&[(CORRELATION_ID, "abc-2"), (REQUEST_ID, "abc-1")]).as_str(),
            "abc-1"
        );
    }

    #[test]
    fn anything_else_gets_a_new_one() {
        for sent in [
            &[][..],
            &[(REQUEST_ID, "")],
            &[(REQUEST_ID, "a b")],
            &[(REQUEST_ID, "a\"b")],
            &[(REQUEST_ID, "a"), (REQUEST_ID, "b")],
        ] {
            let made = id(sent);
            assert_eq!(
                Uuid::parse_str(made.as_str()).unwrap().get_version_num(),
                7,
                "{sent:?}"
            );
        }
    }
}
