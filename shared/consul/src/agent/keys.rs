//! The keys below a prefix of the KV store: what the KV watch waits with.
//!
//! The names alone, because their number and length bound the answer, and because the index comes with them even when
//! there is none: a store without a single key answers 404, and its headers still say where it stands.

use awc::http::StatusCode;

use super::{Agent, Read, escaped, parsed};
use crate::error::Error;

/// The keys of a prefix.
#[derive(Debug)]
pub(crate) struct Listing {
    /// `X-Consul-Index`.
    pub(crate) index: u64,
    /// Whole keys, in order.
    pub(crate) keys: Vec<String>,
}

/// Settings are set by people; a prefix with more keys than this is something else.
const MOST_KEYS: usize = 1_000;

// ---

impl Agent {
    /// The keys that begin with `prefix`; none is an answer.
    ///
    /// # Errors
    ///
    /// Whenever there is no complete answer, or one that may hide keys from this token; the caller keeps what it knows.
    pub(crate) async fn keys(&self, prefix: &str, read: &Read) -> Result<Listing, Error> {
        let path = format!("/v1/kv/{}?keys&{}", slashed(prefix), read.query());
        let reply = self.answered(self.get(&path), None, read.limit()).await?;
        let index = reply.number("X-Consul-Index");
        if reply.filtered() {
            return Err(Error::Filtered);
        }
        let index = match (reply.status, index) {
            // Anybody can say 404; only Consul says of which moment.
            (StatusCode::NOT_FOUND, Some(index)) => {
                return Ok(Listing {
                    index,
                    keys: Vec::new(),
                });
            }
            (_, index) => index,
        };
        let reply = reply.ok()?;
        let keys: Vec<String> = parsed(&reply.body)?;
        if keys.len() > MOST_KEYS {
            let text = format!("{} keys below {prefix}, {MOST_KEYS} at most", keys.len());
            return Err(Error::Malformed(text));
        }
        let index = index.ok_or_else(|| Error::Malformed("no X-Consul-Index".to_owned()))?;
        Ok(Listing { index, keys })
    }
}

/// A key in a path: its segments escaped, its slashes kept.
pub(crate) fn slashed(key: &str) -> String {
    let segments: Vec<String> = key.split('/').map(escaped).collect();
    segments.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_keeps_its_slashes_and_nothing_else_that_means_something() {
        assert_eq!(slashed("lictor/"), "lictor/");
        assert_eq!(slashed("lictor/log/a b?raw#"), "lictor/log/a%20b%3Fraw%23");
    }
}
