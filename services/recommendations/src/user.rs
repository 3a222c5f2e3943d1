//! Whose recommendations are asked for. Whether there is such a user is not known here.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// `usr_` and a UUID.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String")]
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
