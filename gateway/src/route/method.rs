//! The request methods that routes speak of, as a set.
//!
//! CONNECT and TRACE are not here: the gateway refuses them everywhere.

use std::fmt;

use serde::Deserialize;

/// In the order in which `Allow` lists them.
const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// A set of methods. Whoever allows GET allows HEAD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Methods(u8);

impl Methods {
    /// Whether the set has the method; method names are case-sensitive.
    pub fn contains(self, method: &str) -> bool {
        bit(method).is_some_and(|bit| self.0 & bit != 0)
    }

    /// Whether two sets share a method.
    pub fn overlap(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The methods of either set.
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl TryFrom<Vec<String>> for Methods {
    type Error = String;

    fn try_from(names: Vec<String>) -> Result<Self, String> {
        let mut set = Self::default();
        for name in &names {
            set.0 |=
                bit(name).ok_or_else(|| format!("`{name}` is not one of {}", KNOWN.join(", ")))?;
            if name == "GET" {
                set.0 |= bit("HEAD").expect("HEAD is known");
            }
        }
        Ok(set)
    }
}

impl fmt::Display for Methods {
    /// As `Allow` lists them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = KNOWN
            .into_iter()
            .filter(|name| self.contains(name))
            .collect();
        f.write_str(&names.join(", "))
    }
}

/// The method as one of those that routes speak of, whatever a client wrote.
pub fn known(method: &str) -> Option<&'static str> {
    KNOWN.into_iter().find(|known| *known == method)
}

fn bit(method: &str) -> Option<u8> {
    KNOWN
        .iter()
        .position(|known| *known == method)
        .map(|place| 1 << place)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn get_brings_head() {
        let set = Methods::try_from(vec!["DELETE".to_owned(), "GET".to_owned()]).unwrap();
        assert!(set.contains("HEAD"));
        assert!(!set.contains("POST"));
        assert!(!set.contains("get"));
        assert_eq!(set.to_string(), "GET, HEAD, DELETE");
    }

    #[test]
    fn a_method_that_no_route_may_have_is_named() {
        let refused = Methods::try_from(vec!["TRACE".to_owned()]).unwrap_err();
        assert!(refused.contains("`TRACE`"), "{refused}");
    }
}
