//! A setting's value: one JSON object, read strictly.

use crate::input::Objects;
use serde::de::DeserializeOwned;

/// Reads a value; what is wrong is told with the field where it is.
///
/// # Errors
/// It is no JSON object, a field is unknown, missing or of another type.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    if !text.trim_ascii_start().starts_with('{') {
        return Err("must be a JSON object".to_owned());
    }
    let mut parser = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(Objects(&mut parser)).map_err(|error| {
        let path = error.path().to_string();
        let reason = error.into_inner().to_string();
        match path.as_str() {
            "." => reason,
            _ => format!("{path}: {reason}"),
        }
    })?;
    parser.end().map_err(|error| error.to_string())?;
    Ok(value)
}
