//! The ACL token: from a file or the environment, read again when the agent refuses it.
//!
//! It travels in the `X-Consul-Token` header only, never in a URL, and is marked sensitive so that no debug output
//! shows it.
//! A file that has gone missing or unreadable keeps the token that worked last.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use awc::http::header::HeaderValue;

use crate::config::InvalidConfig;

/// Where the token comes from, and what was last read there.
pub(crate) struct Token {
    file: Option<PathBuf>,
    current: RefCell<Option<HeaderValue>>,
}

/// Read when no file is configured; the variable that Consul's own tools use.
const VARIABLE: &str = "CONSUL_HTTP_TOKEN";

// ---

impl Token {
    pub(crate) fn load(file: Option<&Path>) -> Result<Self, InvalidConfig> {
        let current = read(file).map_err(|reason| InvalidConfig {
            key: "token_file",
            value: file.map_or_else(|| VARIABLE.to_owned(), |path| path.display().to_string()),
            reason,
        })?;
        Ok(Self {
            file: file.map(Path::to_owned),
            current: RefCell::new(current),
        })
    }

    pub(crate) fn header(&self) -> Option<HeaderValue> {
        self.current.borrow().clone()
    }

    /// After a 403: the token may have been rotated. The next call uses what is found.
    pub(crate) fn reread(&self) {
        match read(self.file.as_deref()) {
            Ok(found) => {
                if *self.current.borrow() != found {
                    tracing::info!("consul token changed, using the new one");
                }
                self.current.replace(found);
            }
            Err(reason) => tracing::warn!(
                reason,
                "consul token cannot be read again, keeping the old one"
            ),
        }
    }
}

fn read(file: Option<&Path>) -> Result<Option<HeaderValue>, String> {
    let text = match file {
        Some(path) => std::fs::read_to_string(path).map_err(|error| error.to_string())?,
        None => std::env::var(VARIABLE).unwrap_or_default(),
    };
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| "holds characters that no header may carry".to_owned())?;
    value.set_sensitive(true);
    Ok(Some(value))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_rotated_file_is_read_again_and_a_missing_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "first\n").unwrap();
        let token = Token::load(Some(&file)).unwrap();
        assert_eq!(token.header().unwrap(), "first");

        std::fs::write(&file, "second\n").unwrap();
        token.reread();
        assert_eq!(token.header().unwrap(), "second");

        std::fs::remove_file(&file).unwrap();
        token.reread();
        assert_eq!(token.header().unwrap(), "second");
    }

    #[test]
    fn a_token_file_that_cannot_be_read_is_named_at_start() {
        let error = Token::load(Some(Path::new("/no/such/file"))).err().unwrap();
        assert_eq!(
            (error.key, error.value.as_str()),
            ("token_file", "/no/such/file")
        );
    }

    #[test]
    fn debug_output_does_not_show_the_token() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "secret-token").unwrap();
        let header = Token::load(Some(&file)).unwrap().header();
        assert!(!format!("{header:?}").contains("secret-token"));
    }
}
