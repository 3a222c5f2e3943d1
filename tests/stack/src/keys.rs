//! The keys of one run, and the gateway's overlay that knows their digests.
//!
//! The shipped gateway knows no key.
//! A run makes a demo key for people (with the shipped quota), a load key with a quota that no test reaches, and a token for the admin listener.
//! All of a run's clients have one address, so that address may have every connection.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The gateway's limit groups (`gateway.toml`) that the load key goes beyond.
const LIMITED: [&str; 4] = ["users", "orders", "browse", "health"];

/// Requests a minute that no load on one machine reaches.
const UNREACHED: u32 = 10_000_000;

/// What a person tries first: look around and order.
const DEMO_SCOPES: [&str; 4] = ["orders:read", "orders:write", "users:read", "reports:read"];

/// Everything that a route asks for: the load key is also the one that tests and drills prepare the shop with.
const ALL_SCOPES: [&str; 10] = [
    "orders:read",
    "orders:write",
    "orders:manage",
    "users:read",
    "users:write",
    "inventory:write",
    "payments:read",
    "payments:write",
    "payments:refund",
    "reports:read",
];
/// Connections from one address, as many as a load may leave unanswered.
const CONNECTIONS: u32 = 20_000;

/// The secrets that `up` prints.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Keys {
    pub demo: String,
    pub load: String,
    pub admin_token: String,
}

impl Keys {
    pub fn generate() -> Self {
        Self {
            demo: format!("demo.{:032x}", rand::random::<u128>()),
            load: format!("load.{:032x}", rand::random::<u128>()),
            admin_token: format!("{:032x}", rand::random::<u128>()),
        }
    }

    /// The configuration file given to the gateway on top of its own.
    pub fn overlay(&self) -> String {
        format!(
            "# Written by `cargo stack up` for this run; the next one has keys of its own.\n\n\
             [edge]\ndebug_headers = true\n\n\
             [server]\nadmin_token = \"{}\"\nconnections_per_address = {CONNECTIONS}\n\n\
             [keys.demo]\ndigest = \"{}\"\nsubject = \"demo\"\nscopes = {DEMO_SCOPES:?}\n\n\
             [keys.load]\ndigest = \"{}\"\nsubject = \"load\"\nscopes = {ALL_SCOPES:?}\nquota = {{ {} }}\n",
            self.admin_token,
            digest(self.demo.as_bytes()),
            digest(self.load.as_bytes()),
            LIMITED
                .map(|group| format!("{group} = {UNREACHED}"))
                .join(", "),
        )
    }
}

/// SHA-256 in lower-case hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_the_known_one() {
        assert_eq!(
            digest(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn the_overlay_is_toml_and_holds_no_secret_but_the_admin_token() {
        let keys = Keys::generate();
        let text = keys.overlay();
        let parsed: toml::Table = text.parse().unwrap();
        assert_eq!(
            parsed["keys"]["demo"]["digest"].as_str().unwrap(),
            digest(keys.demo.as_bytes())
        );
        assert!(!text.contains(&keys.demo) && !text.contains(&keys.load));
    }
}
