//! Reads the layers, splits common sections from the process's own, and names what does not fit.

use super::{BadValue, Common};
use ::config::{Config, ConfigError, Environment, File, FileFormat, Map, Value, ValueKind};
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::path::Path;

/// The common sections' defaults, documented key by key.
const COMMON_DEFAULTS: &str = include_str!("../../service.toml");
/// The sections of [`Common`]; every other section belongs to the process.
const COMMON_SECTIONS: [&str; 8] = [
    "server",
    "identity",
    "consul",
    "drain",
    "telemetry",
    "store",
    "faults",
    "upstreams",
];
/// Prefix of environment variables: `LICTOR_SERVER__PUBLIC` is `server.public`.
const PREFIX: &str = "LICTOR_";
/// Names the file, so it is no key itself.
const CONFIG_VARIABLE: &str = "LICTOR_CONFIG";

/// What was read: the common sections and the process's own.
#[derive(Debug)]
pub struct Loaded<S> {
    /// Sections of every process.
    pub common: Common,
    /// Sections of this one.
    pub own: S,
}

/// Reads all layers. `defaults` is the process's own TOML, `file` the one named by the caller.
///
/// # Errors
/// [`BadValue`] names the first key that cannot be used: unparsable, unknown, or out of range.
pub fn load<S: DeserializeOwned>(
    defaults: &str,
    file: Option<&Path>,
    environment: &HashMap<String, String>,
) -> Result<Loaded<S>, BadValue> {
    let mut builder = Config::builder()
        .add_source(File::from_str(COMMON_DEFAULTS, FileFormat::Toml))
        .add_source(File::from_str(defaults, FileFormat::Toml));
    if let Some(path) = file {
        builder = builder.add_source(File::from(path).format(FileFormat::Toml));
    }
    let variables = environment
        .iter()
        .filter(|(name, _)| name.starts_with(PREFIX) && *name != CONFIG_VARIABLE)
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let source = Environment::with_prefix("LICTOR")
        .prefix_separator("_")
        .separator("__")
        .source(Some(variables));
    let merged = builder
        .add_source(source)
        .build()
        .map_err(|error| unreadable(&error, file))?;
    let sections = merged
        .cache
        .into_table()
        .map_err(|error| unreadable(&error, file))?;
    let (common, own): (Map<_, _>, Map<_, _>) = sections
        .into_iter()
        .partition(|(name, _)| COMMON_SECTIONS.contains(&name.as_str()));
    let common: Common = read(common)?;
    common.check()?;
    Ok(Loaded {
        common,
        own: read(own)?,
    })
}

fn read<T: DeserializeOwned>(sections: Map<String, Value>) -> Result<T, BadValue> {
    let whole = Value::new(None, ValueKind::Table(sections));
    let written = whole.clone();
    serde_path_to_error::deserialize(whole).map_err(|error| {
        let reason = innermost(error.inner());
        let mut key = error.path().to_string();
        if let Some(unknown) = unknown_field(&reason) {
            let named = key == unknown || key.ends_with(&format!(".{unknown}"));
            key = if key == "." {
                unknown
            } else if named {
                key
            } else {
                format!("{key}.{unknown}")
            };
        }
        let value =
            at(&written, &key).map_or_else(|| "(missing)".to_owned(), |found| shown(&key, found));
        BadValue { key, value, reason }
    })
}

/// The parser's own words without the wrapping that repeats key and origin.
fn innermost(error: &ConfigError) -> String {
    match error {
        ConfigError::At { error, .. } => innermost(error),
        ConfigError::Type {
            unexpected,
            expected,
            ..
        } => {
            format!("found {unexpected}, expected {expected}")
        }
        other => other.to_string(),
    }
}

fn unknown_field(reason: &str) -> Option<String> {
    let (_, rest) = reason.split_once("unknown field `")?;
    rest.split_once('`').map(|(name, _)| name.to_owned())
}

fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.')
        .try_fold(value, |value, part| match &value.kind {
            ValueKind::Table(table) => table.get(part),
            _ => None,
        })
}

fn shown(key: &str, value: &Value) -> String {
    let secret = ["token", "secret", "password", "url", "sha256"]
        .iter()
        .any(|word| key.contains(word));
    if secret {
        "***".to_owned()
    } else {
        format!("{value}")
    }
}

fn unreadable(error: &ConfigError, file: Option<&Path>) -> BadValue {
    let file = file.map_or_else(
        || "(environment)".to_owned(),
        |path| path.display().to_string(),
    );
    BadValue::new("--config", file, innermost(error))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Own {
        shop: Shop,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Shop {
        items: u32,
    }

    fn with(variables: &[(&str, &str)]) -> Result<Loaded<Own>, BadValue> {
        let environment = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        load("[shop]\nitems = 3\n", None, &environment)
    }

    #[test]
    fn defaults_alone_make_a_whole_configuration() {
        let loaded = with(&[]).unwrap();
        assert_eq!(loaded.own.shop.items, 3);
        assert_eq!(loaded.common.drain.propagation_ms, 3000);
    }

    #[test]
    fn the_environment_wins_over_the_defaults() {
        let loaded = with(&[
            ("LICTOR_DRAIN__PROPAGATION_MS", "7"),
            ("LICTOR_SHOP__ITEMS", "9"),
        ])
        .unwrap();
        assert_eq!(loaded.common.drain.propagation_ms, 7);
        assert_eq!(loaded.own.shop.items, 9);
    }

    #[test]
    fn a_wrong_type_is_told_as_key_value_and_reason() {
        let error = with(&[("LICTOR_SERVER__WORKERS", "many")]).unwrap_err();
        assert_eq!(
            (error.key.as_str(), error.value.as_str()),
            ("server.workers", "many")
        );
        assert!(!error.reason.is_empty());
    }

    #[test]
    fn an_unknown_key_is_refused_by_its_full_name() {
        let error = with(&[("LICTOR_SERVER__WOKERS", "2")]).unwrap_err();
        assert_eq!(error.key, "server.wokers");
        let error = with(&[("LICTOR_SHOP__COLOUR", "red")]).unwrap_err();
        assert_eq!(
            (error.key.as_str(), error.value.as_str()),
            ("shop.colour", "red")
        );
        let error = with(&[("LICTOR_SHIP__COLOUR", "red")]).unwrap_err();
        assert_eq!(error.key, "ship");
    }

    #[test]
    fn an_impossible_value_is_refused() {
        let error = with(&[("LICTOR_IDENTITY__ZONE", "Zone A")]).unwrap_err();
        assert_eq!(
            (error.key.as_str(), error.value.as_str()),
            ("identity.zone", "Zone A")
        );
        let error = with(&[("LICTOR_SERVER__WORKERS", "100000")]).unwrap_err();
        assert_eq!(
            (error.key.as_str(), error.value.as_str()),
            ("server.workers", "100000")
        );
        let error = with(&[("LICTOR_STORE__URL", "mysql://x")]).unwrap_err();
        assert_eq!(error.key, "store.url");
    }

    #[test]
    fn a_file_that_is_not_toml_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("broken.toml");
        std::fs::write(&path, "[server\n").unwrap();
        let error = load::<Own>("[shop]\nitems = 3\n", Some(&path), &HashMap::new()).unwrap_err();
        assert!(error.value.ends_with("broken.toml"), "{error}");
    }
}
