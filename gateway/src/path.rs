//! One canonical path for routing, authentication, limits, metrics and forwarding.
//!
//! Two readers of a path that disagree are a hole: the route says one thing, the upstream another.
//! So a path is read once, here, and everything that has two readings is refused: backslashes, encoded slashes, empty segments, dot segments, control characters, raw or malformed non-ASCII.
//! What is left has one spelling: unreserved characters decoded, every other escape in upper case; reading it again changes nothing.
//! The query is checked for the same kind of junk and otherwise kept as it was sent, because its encoding belongs to the application.

pub mod escape;

use bytes::{BufMut, Bytes, BytesMut};

use self::escape::{escape, is_path_character, write_escaped};

/// A path in its one spelling, with its query as sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonicalPath {
    /// ASCII: `path` or `path?query`. Shared, so that taking a prefix off copies nothing.
    whole: Bytes,
    path_len: usize,
}

/// Why a path was refused, in words for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused(pub &'static str);

impl CanonicalPath {
    /// Reads the path and query of a request target.
    pub fn read(path: &str, query: Option<&str>) -> Result<Self, Refused> {
        let room = path.len() + query.map_or(0, |query| query.len() + 1);
        let mut whole = BytesMut::with_capacity(room);
        write_path(path.as_bytes(), &mut whole)?;
        let path_len = whole.len();
        if let Some(query) = query {
            check_query(query.as_bytes())?;
            whole.put_u8(b'?');
            whole.put_slice(query.as_bytes());
        }
        Ok(Self {
            whole: whole.freeze(),
            path_len,
        })
    }

    /// The path alone.
    pub fn path(&self) -> &str {
        std::str::from_utf8(&self.whole[..self.path_len]).expect("the canonical spelling is ASCII")
    }

    /// The query as it was sent, without its question mark.
    pub fn query(&self) -> Option<&str> {
        let query = self.whole.get(self.path_len + 1..)?;
        Some(std::str::from_utf8(query).expect("a checked query is ASCII"))
    }

    /// Path and query without the first `prefix` bytes; what is left of the path starts with a slash.
    ///
    /// The caller has matched the prefix on a segment boundary, so the cut is at a slash or at the end.
    pub fn after(&self, prefix: usize) -> Bytes {
        if prefix < self.path_len {
            return self.whole.slice(prefix..);
        }
        let mut rest = BytesMut::with_capacity(1 + self.whole.len() - self.path_len);
        rest.put_u8(b'/');
        rest.put_slice(&self.whole[self.path_len..]);
        rest.freeze()
    }
}

fn write_path(raw: &[u8], out: &mut BytesMut) -> Result<(), Refused> {
    if raw.first() != Some(&b'/') {
        return Err(Refused("the path must start with a slash"));
    }
    let mut segment = 1;
    let mut beyond_ascii = false;
    let mut at = 0;
    while at < raw.len() {
        match raw[at] {
            b'/' => {
                if at > 0 {
                    check_segment(&out[segment..], false)?;
                    segment = out.len() + 1;
                }
                out.put_u8(b'/');
            }
            b'%' => {
                let byte = escape(raw, at)?;
                beyond_ascii |= byte >= 0x80;
                write_escaped(byte, out)?;
                at += 2;
            }
            byte if is_path_character(byte) => out.put_u8(byte),
            b'\\' => return Err(Refused("the path contains a backslash")),
            byte if byte >= 0x80 => {
                return Err(Refused("the path contains a raw non-ASCII character"));
            }
            _ => {
                return Err(Refused(
                    "the path contains a character that must be escaped",
                ));
            }
        }
        at += 1;
    }
    check_segment(&out[segment..], true)?;
    if beyond_ascii {
        check_text(out)
    } else {
        Ok(())
    }
}

/// An empty segment is allowed only as the end of the path: a trailing slash.
fn check_segment(segment: &[u8], last: bool) -> Result<(), Refused> {
    if segment.is_empty() && !last {
        return Err(Refused("the path contains an empty segment"));
    }
    // Some servers take `..;x` for `..`: what follows a semicolon does not make a dot segment harmless.
    let parameters =
        (0..segment.len()).find(|&at| segment[at] == b';' || segment[at..].starts_with(b"%3B"));
    match &segment[..parameters.unwrap_or(segment.len())] {
        b"." | b".." => Err(Refused("the path contains a dot segment")),
        _ => Ok(()),
    }
}

/// Escapes above ASCII must spell UTF-8: an overlong `%C0%AF` is a slash to a careless decoder.
fn check_text(canonical: &[u8]) -> Result<(), Refused> {
    let mut decoded = Vec::with_capacity(canonical.len());
    let mut at = 0;
    while at < canonical.len() {
        if canonical[at] == b'%' {
            decoded.push(escape(canonical, at)?);
            at += 2;
        } else {
            decoded.push(canonical[at]);
        }
        at += 1;
    }
    let text = std::str::from_utf8(&decoded).map_err(|_| Refused("the path is not UTF-8"))?;
    if text.chars().any(char::is_control) {
        return Err(Refused("the path contains a control character"));
    }
    Ok(())
}

fn check_query(query: &[u8]) -> Result<(), Refused> {
    for (at, &byte) in query.iter().enumerate() {
        match byte {
            b'%' if escape(query, at)? == 0 => return Err(Refused("the query contains a NUL")),
            b'%' => {}
            b'\\' | b'#' | 0..0x21 | 0x7f.. => {
                return Err(Refused(
                    "the query contains a character that must be escaped",
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn canonical(path: &str) -> Option<String> {
        CanonicalPath::read(path, None)
            .ok()
            .map(|read| read.path().to_owned())
    }

    #[test]
    fn one_resource_has_one_spelling() {
        for (sent, read) in [
            ("/", "/"),
            ("/api/users", "/api/users"),
            ("/api/users/", "/api/users/"),
            ("/%61pi/%75sers", "/api/users"),
            ("/a%2db", "/a-b"),
            ("/a%3ab", "/a%3Ab"),
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/100%25", "/100%25"),
            ("/%252e%252e/x", "/%252e%252e/x"),
            ("/a;v=1/b", "/a;v=1/b"),
            ("/...", "/..."),
        ] {
            assert_eq!(canonical(sent).as_deref(), Some(read), "{sent}");
        }
    }

    #[test]
    fn whatever_has_two_readings_is_refused() {
        for sent in [
            "",
            "api",
            "*",
            "//",
            "/a//b",
            "//a",
            "/.",
            "/..",
            "/a/../b",
            "/a/./b",
            "/a/..",
            "/%2e%2e/b",
            "/a/.%2E/b",
            "/a/..;/b",
            "/a/..%3b/b",
            "/.;x",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a%00b",
            "/a%0ab",
            "/a%7fb",
            "/a%",
            "/a%4",
            "/a%zz",
            "/é",
            "/%c0%af",
            "/%e0%80%af",
            "/%ff",
            "/%c2%85",
            "/a b",
            "/a^b",
            "/a|b",
            "/[a]",
            "/a\u{7f}",
            "/a#b",
        ] {
            assert_eq!(canonical(sent), None, "{sent}");
        }
    }

    #[test]
    fn a_query_is_checked_and_kept_as_sent() {
        let read = CanonicalPath::read("/a", Some("q=%2F..%2f&r=[1]|{}")).unwrap();
        assert_eq!(read.query(), Some("q=%2F..%2f&r=[1]|{}"));
        for query in ["q=%", "q=%0", "q=%00", "a b", "é", "a\\b", "a#b"] {
            assert!(CanonicalPath::read("/a", Some(query)).is_err(), "{query}");
        }
        assert_eq!(
            CanonicalPath::read("/a", Some("")).unwrap().query(),
            Some("")
        );
    }

    #[test]
    fn a_prefix_comes_off_at_a_slash() {
        let read = CanonicalPath::read("/api/users/7", Some("x=1")).unwrap();
        assert_eq!(read.after(4), "/users/7?x=1");
        assert_eq!(read.after(0), "/api/users/7?x=1");
        let bare = CanonicalPath::read("/api", Some("x=1")).unwrap();
        assert_eq!(bare.after(4), "/?x=1");
    }

    proptest! {
        #[test]
        fn reading_twice_changes_nothing(path in "/[ -~é]{0,40}") {
            if let Some(once) = canonical(&path) {
                prop_assert_eq!(canonical(&once), Some(once.clone()));
            }
        }

        #[test]
        fn no_accepted_path_means_another_when_decoded(path in r"/([a-z./%\\;]|%[0-9a-fA-F]{2}){0,12}") {
            if let Some(read) = canonical(&path) {
                let mut decoded = Vec::new();
                let bytes = read.as_bytes();
                let mut at = 0;
                while at < bytes.len() {
                    if bytes[at] == b'%' { decoded.push(escape(bytes, at).unwrap()); at += 3 } else { decoded.push(bytes[at]); at += 1 }
                }
                let text = String::from_utf8(decoded).unwrap();
                prop_assert_eq!(text.matches('/').count(), read.matches('/').count());
                prop_assert!(!text.contains("//") && !text.contains('\\') && !text.contains('\0'));
                prop_assert!(text.split('/').all(|segment| segment != "." && segment != ".."));
            }
        }
    }
}
