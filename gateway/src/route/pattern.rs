//! The shape of the paths that a route answers.
//!
//! A pattern is a canonical path in which `{name}` stands for any one segment; it fits a whole path, or everything below it.

use crate::path::CanonicalPath;

/// Segments to be matched one by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    segments: Vec<Segment>,
    /// More segments may follow.
    prefix: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Any,
}

/// A path that fits.
pub struct Fits<'p> {
    /// What the first placeholder stood for, if the pattern has one.
    pub placeholder: Option<&'p str>,
}

impl Pattern {
    /// Reads a pattern as configuration writes it.
    pub fn parse(text: &str, prefix: bool) -> Result<Self, &'static str> {
        let read = CanonicalPath::read(&text.replace(['{', '}'], "~"), None);
        if read.is_err() || text.ends_with('/') {
            return Err("must be a canonical path without a slash at its end");
        }
        let segment = |text: &str| match text.strip_prefix('{') {
            Some(name) if name.ends_with('}') => Ok(Segment::Any),
            None if !text.contains(['{', '}']) => Ok(Segment::Literal(text.to_owned())),
            _ => Err("a placeholder is a whole segment in braces"),
        };
        Ok(Self {
            segments: text
                .split('/')
                .skip(1)
                .map(segment)
                .collect::<Result<_, _>>()?,
            prefix,
        })
    }

    /// Whether a canonical path fits.
    pub fn matches<'p>(&self, path: &'p str) -> Option<Fits<'p>> {
        let mut parts = path.split('/').skip(1);
        let mut placeholder = None;
        for segment in &self.segments {
            let part = parts.next()?;
            match segment {
                Segment::Literal(text) if text == part => {}
                Segment::Any if !part.is_empty() => placeholder = placeholder.or(Some(part)),
                _ => return None,
            }
        }
        (self.prefix || parts.next().is_none()).then_some(Fits { placeholder })
    }

    /// How many bytes of a path that fits belong to the pattern's own segments.
    pub fn length(&self, path: &str) -> usize {
        let segments = path.split('/').skip(1).take(self.segments.len());
        segments.map(|segment| 1 + segment.len()).sum()
    }

    /// More is more specific; an exact pattern beats a prefix of the same shape.
    pub fn rank(&self) -> (usize, usize, bool) {
        let literal = self
            .segments
            .iter()
            .filter(|segment| matches!(segment, Segment::Literal(_)))
            .count();
        (self.segments.len(), literal, !self.prefix)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_segment_by_segment() {
        let whole = Pattern::parse("/a/{id}/b", false).unwrap();
        assert_eq!(whole.matches("/a/7/b").unwrap().placeholder, Some("7"));
        for other in ["/a/7", "/a//b", "/a/7/b/", "/a/7/bc", "/x/7/b", "/"] {
            assert!(whole.matches(other).is_none(), "{other}");
        }
        let prefix = Pattern::parse("/a", true).unwrap();
        assert!(
            prefix.matches("/a").is_some()
                && prefix.matches("/a/").is_some()
                && prefix.matches("/a/b/c").is_some()
        );
        assert!(prefix.matches("/ab").is_none());
        assert_eq!((whole.length("/a/7/b"), prefix.length("/a/b/c")), (6, 2));
    }

    #[test]
    fn a_pattern_is_a_canonical_path() {
        for wrong in [
            "", "a", "/a/", "/a//b", "/../a", "/{a", "/a}", "/x{a}", "/a b",
        ] {
            assert!(Pattern::parse(wrong, true).is_err(), "{wrong}");
        }
    }
}
