//! What configuration knows of a key: its SHA-256 digest.

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// A SHA-256 digest, parsed from its 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Compared with when nobody is known; no key has this digest.
    pub const NOBODY: Self = Self([0; 32]);

    /// The digest of a whole key.
    pub fn of(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// Compares in a time that does not depend on where the two differ.
    pub fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const WRONG: &str = "must be the 64 hexadecimal digits of a SHA-256 digest";
        let digits: Vec<u8> = text
            .chars()
            .map_while(|digit| digit.to_digit(16))
            .map(|digit| digit as u8)
            .collect();
        if digits.len() != 64 || text.len() != 64 {
            return Err(WRONG);
        }
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(digits.chunks(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        Ok(Self(digest))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_64_hexadecimal_digits() {
        let digits = "ab".repeat(32);
        assert_eq!(Fingerprint::try_from(digits).unwrap().0, [0xab; 32]);
        for wrong in [
            "",
            "ab",
            &"ag".repeat(32),
            &"ab".repeat(33),
            &format!("{}x", "ab".repeat(32)),
        ] {
            assert!(Fingerprint::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
