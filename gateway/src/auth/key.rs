//! API keys.
//!
//! A key is `ID.SECRET`. Configuration knows the id and the SHA-256 digest of the whole key, never the key.
//! A wrong secret and an unknown id cost the same and get the same answer: the digest is made first, and compared in constant time, with a digest that nothing matches when the id is unknown.

use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc};

use serde::Deserialize;

use super::{Principal, fingerprint::Fingerprint};

/// A key as configuration names it: `[keys.ID]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// SHA-256 of the whole key, `ID.SECRET`, in hexadecimal.
    pub digest: Fingerprint,
    /// Who holds it.
    pub subject: String,
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Requests for each limit group, in place of the group's own number.
    #[serde(default)]
    pub quota: BTreeMap<String, NonZeroU32>,
}

/// All keys of the configuration.
#[derive(Debug, Default)]
pub struct Keys {
    by_id: BTreeMap<String, (Fingerprint, Arc<Principal>)>,
}

impl Keys {
    /// The keys of a configuration that has been checked.
    pub fn new(keys: &BTreeMap<String, Key>) -> Self {
        let known = |(id, key): (&String, &Key)| {
            let principal = Principal {
                subject: key.subject.as_str().into(),
                scopes: key.scopes.join(" ").into(),
                key: Some(id.as_str().into()),
            };
            (id.clone(), (key.digest, Arc::new(principal)))
        };
        Self {
            by_id: keys.iter().map(known).collect(),
        }
    }

    /// Whose key it is.
    pub fn find(&self, key: &[u8]) -> Option<Arc<Principal>> {
        let digest = Fingerprint::of(key);
        let id = key
            .split(|&byte| byte == b'.')
            .next()
            .and_then(|id| std::str::from_utf8(id).ok());
        let known = id.and_then(|id| self.by_id.get(id));
        let expected = known.map_or(&Fingerprint::NOBODY, |(expected, _)| expected);
        let right = digest.is(expected);
        known
            .filter(|_| right)
            .map(|(_, principal)| principal.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        let key = |text: &str, subject: &str| Key {
            digest: Fingerprint::of(text.as_bytes()),
            subject: subject.into(),
            scopes: Vec::new(),
            quota: BTreeMap::new(),
        };
        Keys::new(&BTreeMap::from([
            ("demo".into(), key("demo.secret", "ada")),
            ("bot".into(), key("bot.secret", "bot")),
        ]))
    }

    #[test]
    fn a_good_key_names_its_holder() {
        let subject = |key: &str| {
            keys()
                .find(key.as_bytes())
                .map(|found| found.subject.to_string())
        };
        assert_eq!(subject("demo.secret").as_deref(), Some("ada"));
        assert_eq!(subject("bot.secret").as_deref(), Some("bot"));
    }

    #[test]
    fn every_other_key_is_nobodys() {
        for wrong in [
            "",
            "demo",
            "demo.",
            "demo.secre",
            "demo.secret ",
            "demo.wrong",
            "bot.secret.",
            "nobody.secret",
            ".secret",
            "secret",
        ] {
            assert_eq!(keys().find(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
