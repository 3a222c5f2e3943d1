//! Whose recommendations are asked for. Whether there is such a user is not known here.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// `usr_` and a UUID.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, pattern = "^usr_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", examples("usr_01937c6e-5a00-7000-8000-0000000000a1"))]
pub struct UserId(String);

impl UserId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for UserId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let uuid = text
            .strip_prefix("usr_")
            .and_then(|rest| Uuid::try_parse(rest).ok());
        match uuid {
            // One spelling for each id: upper case and the forms without hyphens are no ids.
            Some(uuid) if text == format!("usr_{}", uuid.hyphenated()) => Ok(Self(text)),
            _ => Err("must be usr_ and a UUID in lower case".into()),
        }
    }
}
