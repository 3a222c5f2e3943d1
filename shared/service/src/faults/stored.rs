//! Faults as Consul's KV store holds them: one fault or a list, each with the moment of its end.

use super::fault::Fault;
use super::refused::{BadFault, bad};
use super::written::Written;
use crate::input;
use serde_json::Value;
use std::time::SystemTime;

/// Reads a stored list of faults (or one alone), as JSON.
///
/// # Errors
/// What is wrong, by field.
pub fn parse_stored(json: &[u8], now: SystemTime) -> Result<Vec<Fault>, BadFault> {
    list(json)?
        .into_iter()
        .enumerate()
        .map(|(index, written)| written.check_stored(now).map_err(|bad| bad.at(index)))
        .collect()
}

fn list(json: &[u8]) -> Result<Vec<Written>, BadFault> {
    let value = serde_json::from_slice(json).or_else(|error| {
        bad(
            "(value)",
            String::from_utf8_lossy(json),
            format!("is no JSON: {error}"),
        )
    })?;
    let items = match value {
        Value::Array(items) => items,
        one => vec![one],
    };
    items
        .into_iter()
        .enumerate()
        .map(|(index, item)| read(item).map_err(|bad| bad.at(index)))
        .collect()
}

pub(super) fn read(item: Value) -> Result<Written, BadFault> {
    // serde reads an array as a struct, field by field; nobody means that.
    if !item.is_object() {
        return bad("(value)", item, "must be an object");
    }
    let whole = item.clone();
    serde_path_to_error::deserialize(item).or_else(|error| {
        let reason = error.inner().to_string();
        let field = input::field(error.path().to_string(), &reason, "(value)");
        let value = whole
            .get(&field)
            .map_or_else(|| "(missing)".to_owned(), Value::to_string);
        bad(&field, value, reason)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    fn stored(json: Value) -> Result<Vec<Fault>, BadFault> {
        parse_stored(json.to_string().as_bytes(), now())
    }

    #[test]
    fn a_stored_fault_names_the_moment_of_its_end() {
        let until = now() + Duration::from_secs(600);
        let both = json!([
            {"kind": "hang", "until": 1_800_000_600_000_u64},
            {"kind": "hang", "until": "2027-01-15T08:10:00Z"},
        ]);
        assert!(
            stored(both)
                .unwrap()
                .iter()
                .all(|fault| fault.until == until)
        );
        for (written, field) in [
            (
                json!([{"kind": "hang", "until": 1_800_000_600_000_u64}, {"kind": "hang", "for_s": 5}]),
                "[1].for_s",
            ),
            (json!({"kind": "hang"}), "[0].until"),
            (
                json!({"kind": "hang", "until": 1_800_003_601_000_u64}),
                "[0].until",
            ),
        ] {
            assert_eq!(stored(written).unwrap_err().field, field);
        }
    }

    #[test]
    fn a_stored_fault_that_is_over_is_no_mistake() {
        assert_eq!(
            stored(json!({"kind": "hang", "until": 1})).unwrap().len(),
            1
        );
    }
}
