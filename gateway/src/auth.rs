//! Who asks: API keys.
//!
//! A key is `ID.SECRET`. Configuration knows the id and the SHA-256 digest of the whole key, never the key.
//! A wrong secret and an unknown id cost the same and get the same answer: the digest is made first, and compared in constant time, with a digest that nothing matches when the id is unknown.
//! More than one credential is refused: which of them counts would be a matter of opinion.
//! A route that does not say otherwise wants a key.

pub mod fingerprint;

use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc};

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use serde::Deserialize;

use self::fingerprint::Fingerprint;
use crate::error::Error;

/// The header that carries a key.
pub const API_KEY: &str = "x-api-key";

/// What a route asks of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Anybody.
    Public,
    /// A known API key: the default, so that a forgotten line closes a route instead of opening it.
    #[default]
    Key,
}

/// Somebody who has proved who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Upstream sees it as `X-Auth-Subject`; limits are charged to it.
    pub subject: Arc<str>,
    /// Space separated, as upstream sees them in `X-Auth-Scopes`.
    pub scopes: Arc<str>,
    /// The id of the key: it finds the key's own quotas.
    pub key: Arc<str>,
}

impl Principal {
    /// Whether all the scopes that a route needs were granted.
    pub fn has(&self, needed: &[String]) -> bool {
        needed
            .iter()
            .all(|needed| self.scopes.split(' ').any(|granted| granted == needed))
    }
}

/// A key as configuration names it: `[keys.ID]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// SHA-256 of the whole key, `ID.SECRET`, in hexadecimal.
    pub digest: Fingerprint,
    /// Who holds it.
    pub subject: String,
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Requests for each limit group, in place of the group's own number.
    #[serde(default)]
    pub quota: BTreeMap<String, NonZeroU32>,
}

/// All keys of the configuration.
#[derive(Debug, Default)]
pub struct Keys {
    by_id: BTreeMap<String, (Fingerprint, Principal)>,
}

impl Keys {
    /// The keys of a configuration that has been checked.
    pub fn new(keys: &BTreeMap<String, Key>) -> Self {
        let known = |(id, key): (&String, &Key)| {
            let principal = Principal {
                subject: key.subject.as_str().into(),
                scopes: key.scopes.join(" ").into(),
                key: id.as_str().into(),
            };
            (id.clone(), (key.digest, principal))
        };
        Self {
            by_id: keys.iter().map(known).collect(),
        }
    }

    /// The principal of a request, `None` where a route lets anybody in.
    ///
    /// A credential that is given must be good even where none is needed: it also decides which limit is charged.
    pub fn authenticate(
        &self,
        access: Access,
        headers: &HeaderMap,
    ) -> Result<Option<&Principal>, Error> {
        let mut keys = headers.get_all(API_KEY);
        match (keys.next(), keys.next()) {
            (Some(_), Some(_)) => Err(Error::Credentials(Refused::Doubled)),
            (Some(_), None) if headers.contains_key(AUTHORIZATION) => {
                Err(Error::Credentials(Refused::Doubled))
            }
            (Some(key), None) => self
                .find(key.as_bytes())
                .map(Some)
                .ok_or(Error::Credentials(Refused::Wrong)),
            (None, _) if access == Access::Public => Ok(None),
            (None, _) => Err(Error::Credentials(Refused::Missing)),
        }
    }

    fn find(&self, key: &[u8]) -> Option<&Principal> {
        let digest = Fingerprint::of(key);
        let id = key
            .split(|&byte| byte == b'.')
            .next()
            .and_then(|id| std::str::from_utf8(id).ok());
        let known = id.and_then(|id| self.by_id.get(id));
        let expected = known.map_or(&Fingerprint::NOBODY, |(expected, _)| expected);
        let right = digest.is(expected);
        known.filter(|_| right).map(|(_, principal)| principal)
    }
}

/// Why nobody was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    Missing,
    Wrong,
    Doubled,
}

impl Refused {
    /// The name that errors, metrics and logs use.
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing => "credentials_missing",
            Self::Wrong => "credentials_wrong",
            Self::Doubled => "credentials_doubled",
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn keys() -> Keys {
        let key = |text: &str, subject: &str| Key {
            digest: Fingerprint::of(text.as_bytes()),
            subject: subject.into(),
            scopes: vec!["read".into(), "write".into()],
            quota: BTreeMap::new(),
        };
        Keys::new(&BTreeMap::from([
            ("demo".into(), key("demo.secret", "ada")),
            ("bot".into(), key("bot.secret", "bot")),
        ]))
    }

    fn try_with(
        access: Access,
        sent: &[(&'static str, &'static str)],
    ) -> Result<Option<String>, Refused> {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        match keys().authenticate(access, &headers) {
            Ok(principal) => Ok(principal.map(|principal| principal.subject.to_string())),
            Err(Error::Credentials(refused)) => Err(refused),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_good_key_names_its_holder() {
        assert_eq!(
            try_with(Access::Key, &[(API_KEY, "demo.secret")]),
            Ok(Some("ada".into()))
        );
        assert_eq!(
            try_with(Access::Public, &[(API_KEY, "bot.secret")]),
            Ok(Some("bot".into()))
        );
        assert_eq!(try_with(Access::Public, &[]), Ok(None));
    }

    #[test]
    fn everything_else_is_refused() {
        assert_eq!(try_with(Access::Key, &[]), Err(Refused::Missing));
        for wrong in [
            "",
            "demo",
            "demo.",
            "demo.secre",
            "demo.secret ",
            "bot.secret.",
            "nobody.secret",
            ".secret",
            "secret",
        ] {
            assert_eq!(
                try_with(Access::Key, &[(API_KEY, wrong)]),
                Err(Refused::Wrong),
                "{wrong}"
            );
        }
        assert_eq!(
            try_with(Access::Public, &[(API_KEY, "demo.wrong")]),
            Err(Refused::Wrong)
        );
    }

    #[test]
    fn two_credentials_are_one_too_many() {
        assert_eq!(
            try_with(
                Access::Key,
                &[(API_KEY, "demo.secret"), (API_KEY, "demo.secret")]
            ),
            Err(Refused::Doubled)
        );
        assert_eq!(
            try_with(
                Access::Key,
                &[(API_KEY, "demo.secret"), ("authorization", "Bearer x")]
            ),
            Err(Refused::Doubled)
        );
    }

    #[test]
    fn a_closed_route_is_the_default() {
        assert_eq!(Access::default(), Access::Key);
        let access: Result<Access, _> = serde_json::from_str("\"jwt\"");
        assert!(access.is_err());
    }

    #[test]
    fn scopes_must_all_be_there() {
        let keys = keys();
        let (_, principal) = &keys.by_id["demo"];
        assert!(principal.has(&[]));
        assert!(principal.has(&["read".into(), "write".into()]));
        assert!(!principal.has(&["admin".into()]));
    }
}
