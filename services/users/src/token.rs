//! Sign-in: an address and a password for a signed token.
//!
//! An unknown address, a user without a password and a wrong password get one and the same answer,
//! in the same time. What a token opens is the gateway's to decide.

use crate::directory::Directory;
use crate::keys::{Keys, Signer};
use crate::password::{Password, Passwords};
use crate::user::{Email, User};
use actix_web::http::header::{HeaderValue, WWW_AUTHENTICATE};
use jsonwebtoken::{Algorithm, Header, encode};
use serde::{Deserialize, Serialize};
use service::{BadValue, Error};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use utoipa::ToSchema;

/// Signs tokens for users who know their password.
pub struct Issuer {
    directory: Directory,
    passwords: Passwords,
    keys: Arc<Keys>,
    settings: Settings,
}

/// The body of `POST /auth/token`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    email: Email,
    password: Password,
}

/// The answer, in the words of OAuth 2.0 (RFC 6749, 5.1).
#[derive(Debug, Serialize, ToSchema)]
pub struct Token {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    scope: &'static str,
}

/// `[token]`: what stands in every token.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    issuer: String,
    audience: String,
    lifetime_s: u64,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    scope: &'a str,
    iat: u64,
    exp: u64,
}

/// A day: nothing can take a token back before it expires.
const LONGEST_LIFETIME_S: u64 = 86_400;

impl Settings {
    /// How long a token lives.
    pub fn lifetime_s(&self) -> u64 {
        self.lifetime_s
    }

    pub fn check(&self) -> Result<(), BadValue> {
        if !(1..=LONGEST_LIFETIME_S).contains(&self.lifetime_s) {
            let reason = format!("must be 1 to {LONGEST_LIFETIME_S}");
            return Err(BadValue::new("token.lifetime_s", self.lifetime_s, reason));
        }
        Ok(())
    }
}

impl Issuer {
    pub fn new(
        directory: Directory,
        passwords: Passwords,
        keys: Arc<Keys>,
        settings: Settings,
    ) -> Self {
        Self {
            directory,
            passwords,
            keys,
            settings,
        }
    }

    /// # Errors
    /// 401 `invalid_credentials`, 503 `sign_in_busy`.
    pub async fn sign_in(&self, request: SignIn) -> Result<Token, Error> {
        let known = self.directory.credentials(&request.email).await?;
        let stored = known
            .as_ref()
            .and_then(|known| known.password_hash.as_deref());
        let right = self.passwords.verify(request.password, stored).await?;
        match known {
            Some(known) if right => self.token(&known.user, &self.keys.signer().await?),
            _ => Err(Error::new(
                401,
                "invalid_credentials",
                "no user has this address and password",
            )
            .header(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"lictor\""),
            )),
        }
    }

    fn token(&self, user: &User, signer: &Signer) -> Result<Token, Error> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_err(Error::internal)?
            .as_secs();
        let scope = user.role.scope();
        let claims = Claims {
            iss: &self.settings.issuer,
            aud: &self.settings.audience,
            sub: user.id.as_str(),
            scope,
            iat: now,
            exp: now + self.settings.lifetime_s,
        };
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(signer.kid.clone());
        let access_token = encode(&header, &claims, &signer.key).map_err(Error::internal)?;
        Ok(Token {
            access_token,
            token_type: "Bearer",
            expires_in: self.settings.lifetime_s,
            scope,
        })
    }
}
