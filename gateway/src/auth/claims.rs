//! What a token says, and whether that is true for us now.
//!
//! `exp`, `iss`, `aud` and `sub` must be there, and every claim that we know has one type: a time is a whole number of seconds, not a text and not a fraction.
//! The time is an argument.

use serde::Deserialize;

use super::{Principal, Refused};

/// The claims of a token whose signature is good. serde refuses one that is missing, twice there, or of another type.
#[derive(Debug, Deserialize)]
pub struct Claims {
    iss: String,
    aud: Audience,
    sub: String,
    exp: u64,
    #[serde(default, deserialize_with = "present")]
    nbf: Option<u64>,
    #[serde(default)]
    scope: String,
}

/// One name or several (RFC 7519, 4.1.3).
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// What must be true of every token.
#[derive(Debug, Clone)]
pub struct Expected {
    pub issuer: String,
    pub audience: String,
    /// How far clocks may be apart.
    pub leeway_s: u64,
}

/// The services' own bound for `X-Auth-Subject`.
const MOST_SUBJECT_BYTES: usize = 256;
/// They travel as one header.
const MOST_SCOPE_BYTES: usize = 1024;

impl Expected {
    /// Who the token speaks for, if it is for us and for now (seconds since 1970).
    ///
    /// # Errors
    /// The first claim that is not as it must be.
    pub fn check(&self, claims: Claims, now: u64) -> Result<Principal, Refused> {
        if claims.iss != self.issuer {
            return Err(Refused::WrongIssuer);
        }
        if !claims.aud.names(&self.audience) {
            return Err(Refused::WrongAudience);
        }
        if claims.exp.saturating_add(self.leeway_s) <= now {
            return Err(Refused::Expired);
        }
        if claims
            .nbf
            .is_some_and(|nbf| nbf > now.saturating_add(self.leeway_s))
        {
            return Err(Refused::NotYet);
        }
        let subject = visible(&claims.sub) && claims.sub.len() <= MOST_SUBJECT_BYTES;
        let scopes = claims.scope.is_empty() || claims.scope.split(' ').all(visible);
        if !subject || !scopes || claims.scope.len() > MOST_SCOPE_BYTES {
            return Err(Refused::BadClaims);
        }
        Ok(Principal {
            subject: claims.sub.into(),
            scopes: claims.scope.into(),
            key: None,
        })
    }
}

impl Audience {
    fn names(&self, wanted: &str) -> bool {
        match self {
            Self::One(name) => name == wanted,
            Self::Several(names) => names.iter().any(|name| name == wanted),
        }
    }
}

/// What becomes part of a header.
fn visible(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A claim that may be left out, but not be null.
fn present<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<u64>, D::Error> {
    u64::deserialize(value).map(Some)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn check(change: &str) -> Result<Principal, &'static str> {
        let mut claims = serde_json::json!({
            "iss": "us", "aud": "them", "sub": "ada", "exp": NOW + 900, "scope": "read write",
        });
        let change: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(change).unwrap();
        let all = claims.as_object_mut().unwrap();
        for (name, value) in change {
            if value == "(gone)" {
                all.remove(&name);
            } else {
                all.insert(name, value);
            }
        }
        let expected = Expected {
            issuer: "us".into(),
            audience: "them".into(),
            leeway_s: 30,
        };
        let claims = serde_json::from_value(claims).map_err(|_| "token_bad_claims")?;
        expected.check(claims, NOW).map_err(Refused::code)
    }

    fn at(claim: &str, offset: i64) -> String {
        format!(
            r#"{{"{claim}": {}}}"#,
            NOW.checked_add_signed(offset).unwrap()
        )
    }

    #[test]
    fn a_token_speaks_for_its_subject() {
        let principal = check("{}").unwrap();
        assert_eq!(
            (&*principal.subject, &*principal.scopes),
            ("ada", "read write")
        );
        assert!(check(r#"{"aud": ["others", "them"]}"#).is_ok());
        assert_eq!(&*check(r#"{"scope": "(gone)"}"#).unwrap().scopes, "");
    }

    #[test]
    fn every_claim_is_there_and_has_its_type() {
        for claim in ["iss", "aud", "sub", "exp"] {
            for value in ["\"(gone)\"", "null", "{}", "[1]", "true"] {
                let change = format!(r#"{{"{claim}": {value}}}"#);
                assert_eq!(check(&change), Err("token_bad_claims"), "{change}");
            }
        }
        for change in [
            r#"{"exp": "1800000900"}"#,
            r#"{"exp": 1800000900.5}"#,
            r#"{"exp": -1}"#,
            r#"{"nbf": "never"}"#,
            r#"{"nbf": null}"#,
            r#"{"nbf": 1.5}"#,
            r#"{"sub": ""}"#,
            r#"{"sub": "a b"}"#,
            r#"{"sub": "a\r\nb"}"#,
            r#"{"scope": "a  b"}"#,
            r#"{"scope": "a\u0000"}"#,
            r#"{"scope": ["a"]}"#,
        ] {
            assert_eq!(check(change), Err("token_bad_claims"), "{change}");
        }
        let long = |claim: &str, length| format!(r#"{{"{claim}": "{}"}}"#, "a".repeat(length));
        assert_eq!(check(&long("sub", 257)), Err("token_bad_claims"));
        assert_eq!(check(&long("scope", 1025)), Err("token_bad_claims"));
    }

    #[test]
    fn a_token_is_for_us_and_for_now() {
        for (change, code) in [
            (r#"{"iss": "Us"}"#.to_owned(), "token_wrong_issuer"),
            (r#"{"aud": "us"}"#.to_owned(), "token_wrong_audience"),
            (r#"{"aud": []}"#.to_owned(), "token_wrong_audience"),
            (at("exp", -30), "token_expired"),
            (at("nbf", 31), "token_not_yet_valid"),
            (r#"{"exp": 0}"#.to_owned(), "token_expired"),
        ] {
            assert_eq!(check(&change), Err(code), "{change}");
        }
        for change in [
            at("exp", -29),
            at("nbf", 30),
            format!(r#"{{"exp": {}}}"#, u64::MAX),
        ] {
            assert!(check(&change).is_ok(), "{change}");
        }
    }
}
