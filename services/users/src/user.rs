//! What a user is, and what may be called one.
//!
//! Every field is a type of its own that can only be had by parsing: a handler that holds a
//! [`NewUser`] holds a valid one. The message of a refused value becomes the problem's `detail`,
//! its place in the body the problem's `field`. Whether an address is taken is the directory's to say.

use crate::password::Password;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// A user as everybody may see it; the password's hash never leaves the store.
#[derive(Debug, Clone, Serialize, sqlx::FromRow, ToSchema)]
pub struct User {
    #[sqlx(try_from = "String")]
    pub id: UserId,
    #[sqlx(try_from = "String")]
    pub name: Name,
    #[sqlx(try_from = "String")]
    pub email: Email,
    #[sqlx(try_from = "String")]
    pub role: Role,
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
}

/// The body that makes a user. Without a password the user cannot sign in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    pub name: Name,
    pub email: Email,
    #[serde(default)]
    pub role: Role,
    pub password: Option<Password>,
}

/// The body that replaces a user. A password that is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Replacement {
    pub name: Name,
    pub email: Email,
    pub role: Role,
    pub password: Option<Password>,
}

/// How many there are.
#[derive(Debug, Serialize, ToSchema)]
pub struct Stats {
    pub total_users: i64,
    pub by_role: BTreeMap<String, i64>,
}

/// `usr_` and a UUID. Version 7, so that ids sort by age and cannot be guessed from each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, pattern = "^usr_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", examples("usr_01937c6e-5a00-7000-8000-0000000000a1"))]
pub struct UserId(String);

/// 1 to 100 characters, trimmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, min_length = 1, max_length = 100, examples("Ada Lovelace"))]
pub struct Name(String);

/// An e-mail address in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, format = Email, max_length = 254, examples("grace@example.com"))]
pub struct Email(String);

/// What a user may do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", try_from = "String")]
#[schema(examples("customer"))]
pub enum Role {
    #[default]
    Customer,
    Support,
    Admin,
}

const ID_PREFIX: &str = "usr_";
const NAME_LIMIT: usize = 100;
/// RFC 5321: a path of at most 256 with its angle brackets.
const EMAIL_LIMIT: usize = 254;
/// RFC 5321.
const LOCAL_PART_LIMIT: usize = 64;

impl UserId {
    pub fn random() -> Self {
        Self(format!("{ID_PREFIX}{}", Uuid::now_v7()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for UserId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let uuid = text
            .strip_prefix(ID_PREFIX)
            .and_then(|rest| Uuid::try_parse(rest).ok());
        match uuid {
            // One spelling for each id: upper case and the forms without hyphens are no ids.
            Some(uuid) if text[ID_PREFIX.len()..] == uuid.hyphenated().to_string() => {
                Ok(Self(text))
            }
            _ => Err("must be usr_ and a UUID in lower case".into()),
        }
    }
}

impl Name {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let name = text.trim();
        let fits = (1..=NAME_LIMIT).contains(&name.chars().count());
        if !fits || name.chars().any(char::is_control) {
            return Err(format!(
                "must have 1 to {NAME_LIMIT} characters, none of them a control character"
            ));
        }
        Ok(Self(name.to_owned()))
    }
}

impl Email {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Email {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.len() > EMAIL_LIMIT {
            return Err(format!("must have at most {EMAIL_LIMIT} characters"));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("must be ASCII without spaces".into());
        }
        let (local, domain) = text.split_once('@').ok_or("must contain an @")?;
        if local.is_empty() || local.len() > LOCAL_PART_LIMIT {
            return Err(format!(
                "must have 1 to {LOCAL_PART_LIMIT} characters before the @"
            ));
        }
        if !is_domain(domain) {
            return Err("must end in a domain such as example.com".into());
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Support => "support",
            Self::Admin => "admin",
        }
    }

    /// The scopes of a token, separated by spaces, as the gateway's routes ask for them: each role may do what the one below it may.
    pub fn scope(self) -> &'static str {
        match self {
            Self::Customer => "orders:read orders:write",
            Self::Support => {
                "orders:read orders:write orders:manage users:read payments:read payments:refund reports:read"
            }
            Self::Admin => {
                "orders:read orders:write orders:manage users:read payments:read payments:refund reports:read \
                 users:write inventory:write"
            }
        }
    }
}

impl TryFrom<String> for Role {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        [Self::Customer, Self::Support, Self::Admin]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| "must be customer, support or admin".into())
    }
}

fn is_domain(domain: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    domain.contains('.') && domain.split('.').all(label)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_address_needs_one_at_a_local_part_and_a_domain() {
        for bad in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@example",
            "a da@example.com",
            "a@b@c.com",
            "ada@-x.com",
            "ada@x..com",
            "ada@ex\u{e4}mple.com",
            "ada@example.com\n",
        ] {
            assert!(Email::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
        assert!(Email::try_from(format!("{}@example.com", "a".repeat(65))).is_err());
        assert!(Email::try_from(format!("a@{}com", "example.".repeat(40))).is_err());
        assert_eq!(
            Email::try_from("Ada@Example.COM".to_owned())
                .unwrap()
                .as_str(),
            "ada@example.com"
        );
    }

    #[test]
    fn an_id_has_one_spelling() {
        let id = UserId::random();
        assert_eq!(UserId::try_from(id.as_str().to_owned()), Ok(id.clone()));
        for bad in [
            id.as_str().to_uppercase(),
            id.as_str().replace('-', ""),
            id.as_str().replace("usr_", "ord_"),
            "usr_".into(),
            String::new(),
        ] {
            assert!(UserId::try_from(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_is_trimmed_and_bounded() {
        assert_eq!(
            Name::try_from("  Ada Lovelace ".to_owned())
                .unwrap()
                .as_str(),
            "Ada Lovelace"
        );
        for bad in [
            String::new(),
            "   ".into(),
            "a".repeat(101),
            "Ada\u{0}".into(),
        ] {
            assert!(Name::try_from(bad.clone()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn each_role_may_do_what_the_one_below_it_may() {
        let scopes = |role: Role| role.scope().split(' ').collect::<Vec<_>>();
        for (lower, higher) in [
            (Role::Customer, Role::Support),
            (Role::Support, Role::Admin),
        ] {
            let above = scopes(higher);
            assert!(scopes(lower).iter().all(|scope| above.contains(scope)));
            assert!(above.iter().all(|scope| !scope.is_empty()));
        }
    }

    #[test]
    fn no_other_role_exists() {
        assert_eq!(Role::try_from("admin".to_owned()), Ok(Role::Admin));
        assert!(Role::try_from("root".to_owned()).is_err());
    }
}
