//! Answers that can be given again: to callers who asked the same at the same time (`coalesce.rs`), and later, when nobody can answer (`fallback/last_good.rs`).
//!
//! This file says which answers may be: a whole 200 of known and small length, of which neither its headers nor its cookies say that it is for one reader, or not to be kept.
//! Which requests ask the same is `kept/key.rs`'s; how much is kept is the store's.
//! It is no HTTP cache: a kept answer never spares an upstream a call that it could answer.

pub mod key;

use actix_web::{
    HttpResponse,
    http::header::{AGE, HeaderName, HeaderValue},
};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, SET_COOKIE, VARY};
use serde::Deserialize;
use service::BadValue;

use self::key::VARIES;

/// `[kept]`: how much memory kept answers may take.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptConfig {
    /// All last good answers of the process, keys and headers included.
    pub total_bytes: u64,
    /// One answer's body; a longer one streams through and is not kept.
    pub answer_bytes: u64,
}

/// One whole answer with status 200.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    headers: Box<[(HeaderName, HeaderValue)]>,
    body: Bytes,
}

impl KeptConfig {
    /// Refuses a store in which a single answer would push out all others.
    pub fn check(&self) -> Result<(), BadValue> {
        /// So many of the longest answers must fit at least: the store is divided in four parts that each evict by themselves.
        const LONGEST: u64 = 16;
        /// A body that is read whole is held for every request in flight.
        const MOST: u64 = 1024 * 1024;
        if !(1..=MOST).contains(&self.answer_bytes) {
            return Err(BadValue::new(
                "kept.answer_bytes",
                self.answer_bytes,
                format!("must be between 1 and {MOST}"),
            ));
        }
        if self.total_bytes < LONGEST * self.answer_bytes {
            return Err(BadValue::new(
                "kept.total_bytes",
                self.total_bytes,
                format!("must hold at least {LONGEST} answers of kept.answer_bytes"),
            ));
        }
        Ok(())
    }
}

impl Kept {
    /// An answer's head, already filtered for clients, and its whole body.
    pub fn new<B>(head: &HttpResponse<B>, body: Bytes) -> Self {
        let headers = head.headers().iter();
        Self {
            headers: headers
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            body,
        }
    }

    /// The answer once more.
    pub fn to_response(&self) -> HttpResponse {
        let mut answer = HttpResponse::Ok();
        for (name, value) in &self.headers {
            answer.append_header((name.clone(), value.clone()));
        }
        answer.body(self.body.clone())
    }

    /// How old it was already when it came here, in seconds: another cache may have had it before.
    pub fn age(&self) -> u64 {
        let named = self.headers.iter().find(|(name, _)| name == AGE);
        named
            .and_then(|(_, value)| value.to_str().ok()?.trim().parse().ok())
            .unwrap_or(0)
    }

    /// About what it takes in memory.
    pub fn bytes(&self) -> usize {
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| {
            size_of::<(HeaderName, HeaderValue)>() + name.as_str().len() + value.len()
        });
        self.body.len() + headers.sum::<usize>()
    }
}

/// Whether the headers of a 200 let it be given to another request with the same key.
pub fn may_be_given_again(headers: &http::HeaderMap) -> bool {
    !headers.contains_key(SET_COOKIE)
        && !words(headers, &CACHE_CONTROL).any(forbids)
        && words(headers, &VARY).all(|name| {
            VARIES
                .iter()
                .any(|known| name.eq_ignore_ascii_case(known.as_str()))
        })
}

/// Who says one of these wants to be asked each time, or means one reader only (RFC 9111, 5.2.2 and 4.2.4).
fn forbids(directive: &str) -> bool {
    const FORBIDDING: [&str; 6] = [
        "no-store",
        "no-cache",
        "private",
        "must-revalidate",
        "proxy-revalidate",
        "s-maxage",
    ];
    let name = directive
        .split('=')
        .next()
        .expect("a split has a first part");
    FORBIDDING
        .iter()
        .any(|known| name.trim().eq_ignore_ascii_case(known))
}

/// The members of a header's list; one that is not text stands for something unknown.
fn words<'h>(
    headers: &'h http::HeaderMap,
    name: &http::HeaderName,
) -> impl Iterator<Item = &'h str> {
    let values = headers.get_all(name).into_iter();
    let lists = values.map(|value| value.to_str().unwrap_or("*, no-store"));
    lists
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_answer_for_one_reader_is_given_to_no_other() {
        for (name, value, may) in [
            ("cache-control", "public, max-age=60", true),
            ("cache-control", "no-store", false),
            ("cache-control", "max-age=60, Private", false),
            ("cache-control", "private=\"set-cookie\"", false),
            ("cache-control", "max-age=0, must-revalidate", false),
            ("cache-control", "no-cache", false),
            ("cache-control", "s-maxage=5", false),
            ("vary", "Accept", true),
            ("vary", "accept-encoding, Accept-Language", true),
            ("vary", "accept, user-agent", false),
            ("vary", "*", false),
            ("set-cookie", "a=1", false),
            ("content-type", "application/json", true),
        ] {
            let mut headers = http::HeaderMap::new();
            headers.append(
                http::HeaderName::from_static(name),
                http::HeaderValue::from_static(value),
            );
            assert_eq!(may_be_given_again(&headers), may, "{name}: {value}");
        }
        let mut unreadable = http::HeaderMap::new();
        unreadable.append(
            CACHE_CONTROL,
            http::HeaderValue::from_bytes(b"\xff").unwrap(),
        );
        assert!(!may_be_given_again(&unreadable));
    }

    #[test]
    fn a_store_holds_more_than_a_few_answers() {
        let config = |total_bytes, answer_bytes| {
            let config = KeptConfig {
                total_bytes,
                answer_bytes,
            };
            config.check().map_err(|refused| refused.to_string())
        };
        config(16_000, 1000).unwrap();
        assert!(
            config(15_999, 1000)
                .unwrap_err()
                .contains("kept.total_bytes = 15999")
        );
        assert!(
            config(16_000, 0)
                .unwrap_err()
                .contains("kept.answer_bytes = 0")
        );
        assert!(
            config(u64::MAX, 1 << 21)
                .unwrap_err()
                .contains("kept.answer_bytes")
        );
    }
}
