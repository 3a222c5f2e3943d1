//! Another service in place of the one that failed: a whole hop of its own, with that service's breaker, slots and retries, in the time that remains.
//!
//! What it answers counts only when it is a success: its 404 says nothing about what the client asked for.

use std::time::Instant;

use actix_web::HttpResponse;
use bytes::{BufMut, Bytes, BytesMut};

use crate::{
    exchange::Exchange,
    forward::{self, hop::Hop, hop::Way, upload::Source},
    gateway::Worker,
    path::CanonicalPath,
    proxy::Asked,
};

/// Stands at the end of a path for what followed the route's own.
const REST: &str = "{rest}";

/// The service to ask, and what.
#[derive(Debug)]
pub struct Other {
    pub service: String,
    path: String,
    rest: bool,
}

impl Other {
    /// `path` is canonical, with `{rest}` at most at its end.
    pub fn new(service: &str, path: &str) -> Result<Self, &'static str> {
        let (path, rest) = path
            .strip_suffix(REST)
            .map_or((path, false), |path| (path, true));
        match CanonicalPath::read(path, None) {
            // What followed begins with a slash, or there is none.
            _ if rest && path.ends_with('/') => Err("{rest} brings its own slash"),
            Ok(read) if read.path() == path && !path.contains(['{', '}']) => Ok(Self {
                service: service.to_owned(),
                path: path.to_owned(),
                rest,
            }),
            _ => Err("must be a canonical path, with {rest} at its end or not at all"),
        }
    }

    /// What to ask for, `after` being what followed the route's own path.
    fn path(&self, after: &[u8]) -> Bytes {
        let mut path = BytesMut::from(self.path.as_bytes());
        if self.rest {
            path.put_slice(after);
        }
        path.freeze()
    }
}

/// The other service's answer, if it is one.
pub async fn ask(
    other: &Other,
    worker: &Worker,
    asked: &Asked<'_>,
    exchange: &mut Exchange<'_>,
) -> Option<HttpResponse> {
    let own = asked.route.pattern.length(asked.sent.path.path());
    let after = asked.sent.path.after(0).slice(own..);
    let way = Way {
        upstream: &other.service,
        path: other.path(&after),
        stripped: 0,
        began: Instant::now(),
        stands_in: true,
    };
    let deadline = asked.route.deadline(exchange.started);
    let hop = Hop::new(worker, asked, way, deadline);
    let answer = forward::forward(&hop, &Source::none(), exchange).await;
    let answer = answer.ok()?.into_response();
    answer.status().is_success().then_some(answer)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_followed_the_routes_path_is_taken_along_where_the_template_says_so() {
        let path = |template: &str| Other::new("x", template).unwrap().path(b"/7?q=1");
        assert_eq!(path("/popular"), "/popular");
        assert_eq!(path("/other{rest}"), "/other/7?q=1");
        for wrong in ["", "x", "/x/../y", "/{id}", "/{rest}/x", "//x", "/x/{rest}"] {
            assert!(Other::new("x", wrong).is_err(), "{wrong}");
        }
    }
}
