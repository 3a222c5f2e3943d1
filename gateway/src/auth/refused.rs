//! Why nobody was let in: a closed set, each with a code of its own, and the challenge that belongs to it (RFC 9110, RFC 6750).
//!
//! The codes are exact, because whoever holds a token can read it anyway; of keys nothing is told but that they are wrong.

use super::Access;

/// Why a credential was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// None was sent.
    Missing(Access),
    /// A key where the route wants a token, or the other way round.
    WrongKind(Access),
    Doubled,
    /// `Authorization` with something else than a bearer token.
    Scheme,
    WrongKey,
    /// Not three parts of base64url, or no JSON of the right shape in them.
    Malformed,
    TooLong,
    /// A `typ` that says it is something else.
    WrongType,
    /// `none`, or any algorithm but the key's own.
    WrongAlgorithm,
    /// The token names a key of its own: `jku`, `jwk`, `x5u`, `x5c`.
    BringsKey,
    /// `crit`: it must not be taken by who does not understand it, and we understand nothing extra.
    Critical,
    NoKeyId,
    UnknownKey,
    BadSignature,
    /// `exp`, `iss`, `aud` or `sub` is not there, or a claim is not of its type.
    BadClaims,
    Expired,
    NotYet,
    WrongIssuer,
    WrongAudience,
    /// Nobody has told us yet which keys sign.
    KeysUnavailable,
}

impl Refused {
    /// The name that errors, metrics and logs use.
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing(_) => "credentials_missing",
            Self::WrongKind(_) => "credentials_wrong_kind",
            Self::Doubled => "credentials_doubled",
            Self::Scheme => "credentials_unsupported",
            Self::WrongKey => "credentials_wrong",
            Self::Malformed => "token_malformed",
            Self::TooLong => "token_too_long",
            Self::WrongType => "token_wrong_type",
            Self::WrongAlgorithm => "token_wrong_algorithm",
            Self::BringsKey => "token_brings_key",
            Self::Critical => "token_critical_header",
            Self::NoKeyId => "token_no_key_id",
            Self::UnknownKey => "token_unknown_key",
            Self::BadSignature => "token_bad_signature",
            Self::BadClaims => "token_bad_claims",
            Self::Expired => "token_expired",
            Self::NotYet => "token_not_yet_valid",
            Self::WrongIssuer => "token_wrong_issuer",
            Self::WrongAudience => "token_wrong_audience",
            Self::KeysUnavailable => "keys_unavailable",
        }
    }

    /// One sentence for the client.
    pub fn detail(self) -> &'static str {
        match self {
            Self::Missing(access) | Self::WrongKind(access) => wanted(access),
            Self::Doubled => "send one credential",
            Self::Scheme => "Authorization takes a bearer token and nothing else",
            Self::WrongKey => "the API key is not known",
            Self::Malformed => "the token cannot be read",
            Self::TooLong => "the token is too long",
            Self::WrongType => "this kind of token is not for requests",
            Self::WrongAlgorithm => "the token's algorithm is not its key's",
            Self::BringsKey => "a token may not bring or point to a key",
            Self::Critical => "the token asks for an extension that is not known here",
            Self::NoKeyId => "the token does not say which key signed it",
            Self::UnknownKey => "no key that is known signed this token",
            Self::BadSignature => "the signature does not belong to this token",
            Self::BadClaims => "exp, iss, aud and sub must be there, each claim with its type",
            Self::Expired => "the token has expired",
            Self::NotYet => "the token is not valid yet",
            Self::WrongIssuer => "the token was issued by somebody else",
            Self::WrongAudience => "the token is for somebody else",
            Self::KeysUnavailable => "the keys that sign tokens are not known yet",
        }
    }

    /// The values of `WWW-Authenticate`: how to come in.
    pub fn challenges(self) -> Vec<String> {
        const KEY: &str = "ApiKey realm=\"lictor\", header=\"X-API-Key\"";
        const TOKEN: &str = "Bearer realm=\"lictor\"";
        match self {
            // RFC 6750 3.1: who sent no token is told no error.
            Self::Missing(access) | Self::WrongKind(access) => {
                let key = access.takes_keys().then(|| KEY.to_owned());
                let token = access.takes_tokens().then(|| TOKEN.to_owned());
                key.into_iter().chain(token).collect()
            }
            Self::WrongKey => vec![KEY.to_owned()],
            Self::Scheme => vec![KEY.to_owned(), TOKEN.to_owned()],
            Self::Doubled | Self::KeysUnavailable => Vec::new(),
            token => vec![format!(
                "{TOKEN}, error=\"invalid_token\", error_description=\"{}\"",
                token.detail()
            )],
        }
    }
}

fn wanted(access: Access) -> &'static str {
    match access {
        Access::Jwt => "this route wants a token in Authorization: Bearer",
        Access::Key => "this route wants an API key in X-API-Key",
        Access::Any | Access::Public => {
            "this route wants an API key in X-API-Key or a token in Authorization: Bearer"
        }
    }
}
