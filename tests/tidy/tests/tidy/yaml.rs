//! What is written in YAML, as compose, Grafana and Prometheus read it: merged, and with types.

use serde::de::DeserializeOwned;

use super::sources;

/// A file of the repository; what does not fit the type fails with the line that is wrong.
pub fn read<T: DeserializeOwned>(path: &str) -> T {
    let text = std::fs::read_to_string(sources::root().join(path));
    let text = text.unwrap_or_else(|why| panic!("{path}: {why}"));
    serde_saphyr::from_str(&text).unwrap_or_else(|why| panic!("{path}: {why}"))
}
