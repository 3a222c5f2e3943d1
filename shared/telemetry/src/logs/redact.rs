//! What never belongs in a log line: credentials, cookies, and tokens in URLs and headers.
//!
//! Fields are judged by their name, texts by `token=`-like parts.
//! This is the last net; code should not log credentials in the first place.

use std::borrow::Cow;

/// Field names whose value is never written, whatever it is. Parts of names: `x_api_key` is one as well.
const SECRET_NAMES: [&str; 7] = [
    "authorization",
    "cookie",
    "password",
    "secret",
    "api_key",
    "api-key",
    "credential",
];
/// What stands before a secret in a URL, a form or a header; compared without regard to case.
const SECRET_KEYS: [&str; 6] = [
    "token=",
    "password=",
    "secret=",
    "api_key=",
    "bearer ",
    "basic ",
];
const REDACTED: &str = "[redacted]";

/// Whether a field of this name holds a secret.
pub(super) fn secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "token"
        || name.ends_with("_token")
        || SECRET_NAMES.iter().any(|part| name.contains(part))
}

/// `text` with the values of `token=` and its like replaced.
pub(super) fn redacted(text: &str) -> Cow<'_, str> {
    if !text.contains(['=', ' ']) {
        return Cow::Borrowed(text);
    }
    let lower = text.to_ascii_lowercase();
    let mut out = String::new();
    let mut from = 0;
    while let Some(start) = next_value(&lower, from) {
        let length = text[start..]
            .find(['&', ' ', '"', '\'', ';', ',', '\n'])
            .unwrap_or(text.len() - start);
        out.push_str(&text[from..start]);
        out.push_str(REDACTED);
        from = start + length;
    }
    if from == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[from..]);
    Cow::Owned(out)
}

/// Where the next secret value begins.
fn next_value(lower: &str, from: usize) -> Option<usize> {
    SECRET_KEYS
        .iter()
        .filter_map(|key| lower[from..].find(key).map(|at| from + at + key.len()))
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secret_keys_are_replaced_up_to_their_end() {
        assert_eq!(
            redacted("GET /a?Token=x&b=1&token=y"),
            "GET /a?Token=[redacted]&b=1&token=[redacted]"
        );
        assert_eq!(redacted("user=1"), "user=1");
        assert_eq!(redacted("token="), "token=[redacted]");
        assert_eq!(
            redacted("sent Bearer x.y, got 401"),
            "sent Bearer [redacted], got 401"
        );
        assert_eq!(redacted("é token=é é"), "é token=[redacted] é");
    }

    #[test]
    fn names_of_secrets_are_known() {
        for name in [
            "authorization",
            "Set-Cookie",
            "x_api_key",
            "admin_token",
            "token",
            "password_hash",
        ] {
            assert!(secret(name), "{name}");
        }
        for name in ["tokens_left", "key", "order"] {
            assert!(!secret(name), "{name}");
        }
    }
}
