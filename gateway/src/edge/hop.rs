//! Which headers belong to one connection only, and which ones may not be taken away by naming them.
//!
//! `Connection` lists headers that the next hop must not see.
//! A client that lists a header on which somebody decides (who it is, where it came from, how long the body is) would have us forward a request that reads differently from the one we judged: that is refused.

use actix_web::http::header::{CONNECTION, HeaderMap};

use crate::error::Error;

/// Headers about the connection itself (RFC 9110 7.6.1, and what is sent in practice).
pub fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "http2-settings"
    )
}

/// Headers that clients may not set, because the gateway or a trusted proxy does.
pub fn is_ours_to_set(name: &str) -> bool {
    matches!(
        name,
        "forwarded"
            | "x-real-ip"
            | "x-request-timeout-ms"
            | "x-request-id"
            | "x-correlation-id"
            | "via"
    ) || matches!(name, "traceparent" | "tracestate" | "baggage")
        || [
            "x-auth-",
            "x-internal-",
            "x-gateway-",
            "x-forwarded-",
            "x-lictor-",
        ]
        .iter()
        .any(|own| name.starts_with(own))
}

/// Headers on which a decision depends, here or upstream.
fn matters(name: &str) -> bool {
    is_ours_to_set(name)
        || matches!(
            name,
            "authorization"
                | "content-encoding"
                | "content-length"
                | "content-range"
                | "content-type"
                | "cookie"
                | "expect"
                | "host"
                | "idempotency-key"
                | "range"
                | "transfer-encoding"
                | "x-api-key"
        )
}

/// The header names that this message's `Connection` lists, in lower case, beyond the usual ones.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Named(Vec<String>);

impl Named {
    /// Reads a client's `Connection`; naming a header that matters is an error.
    pub fn by_client(headers: &HeaderMap) -> Result<Self, Error> {
        let mut named = Vec::new();
        for line in headers.get_all(CONNECTION) {
            let line = line
                .to_str()
                .map_err(|_| Error::Header("Connection is not text"))?;
            for option in line
                .split(',')
                .map(str::trim)
                .filter(|option| !option.is_empty())
            {
                if ["close", "keep-alive"]
                    .iter()
                    .any(|usual| option.eq_ignore_ascii_case(usual))
                {
                    continue;
                }
                if !is_token(option) {
                    return Err(Error::Header("Connection is not a list of header names"));
                }
                let option = option.to_ascii_lowercase();
                if matters(&option) {
                    return Err(Error::Header(
                        "Connection names a header that may not be dropped",
                    ));
                }
                named.push(option);
            }
        }
        Ok(Self(named))
    }

    /// Reads an upstream's `Connection`: what it lists is dropped, whatever it is.
    pub fn by_upstream(headers: &http::HeaderMap) -> Self {
        let lines = headers
            .get_all(http::header::CONNECTION)
            .iter()
            .filter_map(|line| line.to_str().ok());
        let options = lines
            .flat_map(|line| line.split(','))
            .map(str::trim)
            .filter(|option| !option.is_empty());
        Self(options.map(str::to_ascii_lowercase).collect())
    }

    /// Whether `Connection` listed this header.
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|named| named == name)
    }
}

fn is_token(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn named(line: &str) -> Result<Named, Error> {
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, HeaderValue::from_str(line).unwrap());
        Named::by_client(&headers)
    }

    #[test]
    fn a_connection_header_takes_its_own_headers_along() {
        let named = named("close, X-Hop , ,keep-alive").unwrap();
        assert!(named.contains("x-hop"));
        assert!(!named.contains("close"));
    }

    #[test]
    fn naming_a_header_that_matters_is_refused() {
        for line in [
            "Authorization",
            "close, X-Forwarded-For",
            "x-request-id",
            "traceparent",
            "X-API-Key",
            "host",
            "Content-Length",
        ] {
            assert!(named(line).is_err(), "{line}");
        }
        assert!(named("not a token").is_err());
    }
}
