//! What comes in is parsed into types, and what does not fit is refused with the field named.

mod deadline;
mod headers;
mod json;
mod objects;
mod page;
mod path;
mod query;

pub use deadline::Deadline;
pub use headers::{IdempotencyKey, Subject};
pub(crate) use json::BodyLimit;
pub use json::Json;
pub(crate) use objects::Objects;
pub use page::Page;
pub use path::Path;
pub use query::Query;

use crate::Error;

/// Turns a parser's complaint at `path` into a problem that names the field.
fn refused(path: String, message: &str, fallback: &str) -> Error {
    let detail = message.split(" at line ").next().unwrap_or(message);
    Error::invalid(field(path, message, fallback), detail)
}

/// The field that a parser complains of at `path`.
pub(crate) fn field(path: String, message: &str, fallback: &str) -> String {
    let named = ["unknown field `", "missing field `"]
        .iter()
        .find_map(|words| {
            let (_, rest) = message.split_once(words)?;
            rest.split_once('`').map(|(name, _)| name.to_owned())
        });
    let path = if path == "." { String::new() } else { path };
    match named {
        Some(name) if path.is_empty() => name,
        Some(name) if path == name || path.ends_with(&format!(".{name}")) => path,
        Some(name) => format!("{path}.{name}"),
        None if path.is_empty() => fallback.to_owned(),
        None => path,
    }
}
