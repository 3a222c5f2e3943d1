//! Who asks: one credential per request, an API key or a token.
//!
//! What was sent is looked at before anything is computed: two credentials are 400, because which of them counts would be a matter of opinion, and one of a kind that the route does not take is 401.
//! A credential that is given must be good even where none is needed: it also decides which limit is charged.
//! What a key is worth is `auth/key.rs`'s to say, what a token is worth `auth/token.rs`'s; whether the principal may do what it asks for is decided by its scopes.
//! A credential ends here: upstream learns the subject and the scopes, never the key or the token.

pub mod refused;

pub mod key;

pub mod fingerprint;

pub mod token;

pub mod claims;

pub mod jwks;

pub mod keyring;

pub mod refresh;

pub mod config;

pub mod gauges;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde::Deserialize;

use self::{
    claims::Expected, config::TokensConfig, key::Keys, keyring::Keyring, token::Unverified,
};
pub use self::{key::Key, refused::Refused};

/// The header that carries a key.
pub const API_KEY: &str = "x-api-key";

/// What a route asks of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Anybody.
    Public,
    /// A known API key: the default, so that a forgotten line closes a route to everybody but those whom the operator named.
    #[default]
    Key,
    /// A signed token.
    Jwt,
    /// A key or a token.
    Any,
}

impl Access {
    fn takes_keys(self) -> bool {
        self != Self::Jwt
    }

    fn takes_tokens(self) -> bool {
        self != Self::Key
    }
}

/// Somebody who has proved who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Upstream sees it as `X-Auth-Subject`; limits are charged to it.
    pub subject: Arc<str>,
    /// Space separated, as upstream sees them in `X-Auth-Scopes`.
    pub scopes: Arc<str>,
    /// The id of the key, if it was a key: it finds the key's own quotas.
    pub key: Option<Arc<str>>,
}

impl Principal {
    /// Whether all the scopes that a route needs were granted.
    pub fn has(&self, needed: &[String]) -> bool {
        needed
            .iter()
            .all(|needed| self.scopes.split(' ').any(|granted| granted == needed))
    }
}

/// All that is needed to tell who asks; shared by all workers.
#[derive(Debug)]
pub struct Authenticator {
    keys: Keys,
    expected: Expected,
    pub keyring: Arc<Keyring>,
}

/// The one credential of a request.
#[derive(Debug, PartialEq, Eq)]
enum Sent<'h> {
    Nothing,
    Key(&'h [u8]),
    Token(&'h str),
}

impl Authenticator {
    /// From configuration that has been checked.
    pub fn new(keys: &BTreeMap<String, Key>, tokens: &TokensConfig) -> Self {
        Self {
            keys: Keys::new(keys),
            expected: tokens.expected(),
            keyring: Arc::new(Keyring::new(tokens.least_refresh())),
        }
    }

    /// The principal of a request, `None` where a route lets anybody in.
    ///
    /// Waits only for a token whose key is not known yet, and then for one answer of whoever publishes the keys.
    ///
    /// # Errors
    /// [`Refused`] says why; every reason has a code of its own.
    pub async fn authenticate(
        &self,
        access: Access,
        headers: &HeaderMap,
        now: SystemTime,
    ) -> Result<Option<Arc<Principal>>, Refused> {
        match sent(headers)? {
            Sent::Nothing if access == Access::Public => Ok(None),
            Sent::Nothing => Err(Refused::Missing(access)),
            Sent::Key(_) if !access.takes_keys() => Err(Refused::WrongKind(access)),
            Sent::Token(_) if !access.takes_tokens() => Err(Refused::WrongKind(access)),
            Sent::Key(key) => self.keys.find(key).map(Some).ok_or(Refused::WrongKey),
            Sent::Token(text) => self.verify(text, now).await.map(Some),
        }
    }

    async fn verify(&self, text: &str, now: SystemTime) -> Result<Arc<Principal>, Refused> {
        let token = Unverified::parse(text)?;
        let key = self.keyring.find(token.kid(), Instant::now()).await?;
        let claims = token.verify(&key)?;
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.expected.check(claims, now).map(Arc::new)
    }
}

fn sent(headers: &HeaderMap) -> Result<Sent<'_>, Refused> {
    let mut keys = headers.get_all(API_KEY);
    let mut authorizations = headers.get_all(AUTHORIZATION);
    let first = (keys.next(), authorizations.next());
    if keys.next().is_some() || authorizations.next().is_some() {
        return Err(Refused::Doubled);
    }
    match first {
        (None, None) => Ok(Sent::Nothing),
        (Some(key), None) => Ok(Sent::Key(key.as_bytes())),
        (None, Some(authorization)) => bearer(authorization).map(Sent::Token),
        (Some(_), Some(_)) => Err(Refused::Doubled),
    }
}

/// The token of `Authorization: Bearer TOKEN` (RFC 6750); the scheme's case is free (RFC 9110).
fn bearer(authorization: &HeaderValue) -> Result<&str, Refused> {
    let text = authorization.to_str().map_err(|_| Refused::Scheme)?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(token.trim_start_matches(' '))
    } else {
        Err(Refused::Scheme)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use actix_web::http::header::HeaderName;

    use super::*;
    use crate::auth::fingerprint::Fingerprint;

    fn authenticator() -> Authenticator {
        let key = Key {
            digest: Fingerprint::of(b"demo.secret"),
            subject: "ada".into(),
            scopes: vec!["read".into(), "write".into()],
            quota: BTreeMap::new(),
        };
        let tokens = crate::config::shipped().tokens;
        Authenticator::new(&BTreeMap::from([("demo".into(), key)]), &tokens)
    }

    async fn try_with(
        access: Access,
        sent: &[(&'static str, &'static str)],
    ) -> Result<Option<String>, &'static str> {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        let found = authenticator()
            .authenticate(access, &headers, SystemTime::now())
            .await;
        found
            .map(|principal| principal.map(|principal| principal.subject.to_string()))
            .map_err(Refused::code)
    }

    #[tokio::test]
    async fn each_route_takes_the_credentials_that_it_names() {
        let key = [(API_KEY, "demo.secret")];
        let token = [("authorization", "Bearer a.b.c")];
        let ada = Ok(Some("ada".to_owned()));
        for (access, nothing, with_key, with_token) in [
            (Access::Public, Ok(None), &ada, "token_malformed"),
            (
                Access::Key,
                Err("credentials_missing"),
                &ada,
                "credentials_wrong_kind",
            ),
            (
                Access::Any,
                Err("credentials_missing"),
                &ada,
                "token_malformed",
            ),
            (
                Access::Jwt,
                Err("credentials_missing"),
                &Err("credentials_wrong_kind"),
                "token_malformed",
            ),
        ] {
            assert_eq!(try_with(access, &[]).await, nothing, "{access:?}");
            assert_eq!(&try_with(access, &key).await, with_key, "{access:?}");
            assert_eq!(
                try_with(access, &token).await,
                Err(with_token),
                "{access:?}"
            );
        }
    }

    #[tokio::test]
    async fn two_credentials_are_one_too_many() {
        let (key, token) = ((API_KEY, "demo.secret"), ("authorization", "Bearer a.b.c"));
        for sent in [[key, key], [key, token], [token, token]] {
            for access in [Access::Public, Access::Key, Access::Jwt, Access::Any] {
                assert_eq!(
                    try_with(access, &sent).await,
                    Err("credentials_doubled"),
                    "{sent:?}"
                );
            }
        }
    }

    #[tokio::test]
    async fn a_scheme_that_cannot_be_judged_is_no_credential() {
        for scheme in ["Basic YTpi", "Digest x", "", "Bearertoken", "a.b.c"] {
            let answer = try_with(Access::Public, &[("authorization", scheme)]).await;
            assert_eq!(answer, Err("credentials_unsupported"), "{scheme}");
        }
        for scheme in ["Bearer", "bearer ", "BEARER   a.b.c"] {
            let answer = try_with(Access::Public, &[("authorization", scheme)]).await;
            assert_eq!(answer, Err("token_malformed"), "{scheme}");
        }
    }

    #[test]
    fn a_closed_route_is_the_default() {
        assert_eq!(Access::default(), Access::Key);
        assert!(serde_json::from_str::<Access>("\"everybody\"").is_err());
    }

    #[test]
    fn scopes_must_all_be_there() {
        let principal = Principal {
            subject: "ada".into(),
            scopes: "read write".into(),
            key: None,
        };
        assert!(principal.has(&[]));
        assert!(principal.has(&["read".into(), "write".into()]));
        assert!(!principal.has(&["admin".into()]));
        assert!(!principal.has(&["rea".into()]));
    }
}
