//! Everything that can stop a request here: whose doing it is, the status, a stable code, and when another try makes sense.
//!
//! One `match` says all of that; `error/problem.rs` makes the document of it.
//! An answer of an upstream, whatever its status, is not an error of the gateway and passes through.

mod parting;
mod problem;

use std::{borrow::Cow, sync::Arc, time::Duration};

use crate::{auth, path};

/// Why a request got no answer from where it was going.
#[derive(Debug)]
pub enum Error {
    /// The path or the query has more than one reading, or none.
    Path(path::Refused),
    /// A header is malformed or says what it may not.
    Header(&'static str),
    /// `Host` is missing, doubled, or disagrees with the target.
    Host(&'static str),
    /// Another protocol was asked for.
    Upgrade,
    /// The body's chunks make no sense, or it ended before its end.
    BodyBroken,
    UriTooLong,
    HeadTooLarge,
    BodyTooLarge {
        limit: u64,
    },
    /// The client sent its body too slowly.
    BodyTooSlow,
    /// The client left before its request was whole.
    ClientLeft,
    /// The request has been through this gateway already.
    Loop,
    NoRoute,
    Method {
        allow: String,
    },
    Credentials(auth::Refused),
    /// An operator has closed the route.
    Maintenance {
        retry_after: Duration,
    },
    Scope {
        needed: String,
    },
    Limited {
        group: Arc<str>,
        retry_after: Duration,
    },
    /// The gateway itself is full.
    Shed,
    /// An upstream, or the way to it, failed.
    Upstream(upstream::Error),
}

/// Whose doing an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Client,
    Gateway,
    Upstream,
}

/// What the outside learns of an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub origin: Origin,
    pub status: u16,
    /// Stable: clients and dashboards may rely on it.
    pub code: Cow<'static, str>,
    pub retry_after: Option<Duration>,
    /// What follows on the connection cannot be trusted to be a request.
    pub close: bool,
}

/// A full gateway is asked again after this.
const SHED_WAIT: Duration = Duration::from_secs(1);

/// Without keys they are asked for once a second.
const KEYS_WAIT: Duration = Duration::from_secs(1);

impl Error {
    /// The one place that says what each error means.
    pub fn facts(&self) -> Facts {
        let client = |status, code| Facts {
            origin: Origin::Client,
            status,
            code: Cow::Borrowed(code),
            retry_after: None,
            close: false,
        };
        let ambiguous = |status, code| Facts {
            close: true,
            ..client(status, code)
        };
        match self {
            Self::Path(_) => client(400, "bad_path"),
            Self::Header(_) => ambiguous(400, "bad_header"),
            Self::Host(_) => ambiguous(400, "bad_host"),
            Self::Upgrade => ambiguous(400, "upgrade_not_supported"),
            Self::BodyBroken => ambiguous(400, "body_broken"),
            Self::UriTooLong => ambiguous(414, "uri_too_long"),
            Self::HeadTooLarge => ambiguous(431, "head_too_large"),
            Self::BodyTooLarge { .. } => ambiguous(413, "body_too_large"),
            Self::BodyTooSlow => ambiguous(408, "body_too_slow"),
            Self::ClientLeft => ambiguous(499, "client_left"),
            Self::Loop => client(508, "loop_detected"),
            Self::NoRoute => client(404, "no_route"),
            Self::Method { .. } => client(405, "method_not_allowed"),
            Self::Credentials(auth::Refused::Doubled) => client(400, auth::Refused::Doubled.code()),
            Self::Credentials(auth::Refused::KeysUnavailable) => Facts {
                origin: Origin::Gateway,
                retry_after: Some(KEYS_WAIT),
                ..client(503, auth::Refused::KeysUnavailable.code())
            },
            Self::Credentials(refused) => client(401, refused.code()),
            Self::Scope { .. } => client(403, "scope_missing"),
            Self::Limited { retry_after, .. } => Facts {
                retry_after: Some(*retry_after),
                ..client(429, "rate_limited")
            },
            Self::Maintenance { retry_after } => Facts {
                origin: Origin::Gateway,
                retry_after: Some(*retry_after),
                ..client(503, "maintenance")
            },
            Self::Shed => Facts {
                origin: Origin::Gateway,
                retry_after: Some(SHED_WAIT),
                ..client(503, "gateway_overloaded")
            },
            Self::Upstream(error) => Facts {
                origin: origin(error),
                status: error.status,
                code: error.code.clone(),
                retry_after: error.retry_after,
                close: false,
            },
        }
    }

    /// The code where a closed set is needed: in metrics and spans.
    pub fn label(&self) -> &'static str {
        match self.facts().code {
            Cow::Borrowed(code) => code,
            // An upstream's own word, passed on by an aggregate.
            Cow::Owned(_) => "upstream_error",
        }
    }
}

fn origin(error: &upstream::Error) -> Origin {
    match error.origin {
        upstream::Origin::Own => Origin::Gateway,
        upstream::Origin::Upstream if error.status < 500 => Origin::Client,
        upstream::Origin::Upstream | upstream::Origin::Transport => Origin::Upstream,
    }
}
