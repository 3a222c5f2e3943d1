//! The closed sets: what a stranger writes becomes one of these before it is a label or a span's name.

/// The methods of the conventions; anything else is [`OTHER`].
const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
];
/// The conventions' word for a value outside its set.
pub(super) const OTHER: &str = "_OTHER";
/// The route of a request that no route matched.
pub(super) const UNMATCHED: &str = "_unmatched";
/// Nobody waited for the end.
pub(super) const CANCELLED: &str = "cancelled";
/// Longest attribute taken from a stranger: enough to recognise it, too little to fill a collector.
const ATTRIBUTE_LENGTH: usize = 256;

/// `method` as a label.
pub(super) fn method(method: &str) -> &'static str {
    METHODS
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or(OTHER)
}

/// The method as the conventions want it in a span's name.
pub(super) fn span_method(method: &'static str) -> &'static str {
    if method == OTHER { "HTTP" } else { method }
}

/// `status` as a label: its number where it can be one, empty where there was none.
pub(super) fn status(status: Option<u16>) -> String {
    match status {
        Some(status @ 100..=599) => status.to_string(),
        Some(_) => OTHER.to_owned(),
        None => String::new(),
    }
}

/// The beginning of `text`, no longer than an attribute may be.
pub(super) fn capped(text: &str) -> String {
    text[..text.floor_char_boundary(ATTRIBUTE_LENGTH)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_cannot_invent_labels() {
        assert_eq!(method("GET"), "GET");
        assert_eq!(method("get"), OTHER);
        assert_eq!(method("BREW"), OTHER);
        assert_eq!(status(Some(204)), "204");
        assert_eq!(status(Some(999)), OTHER);
        assert_eq!(status(None), "");
    }

    #[test]
    fn attributes_are_cut_between_characters() {
        assert_eq!(capped("/orders"), "/orders");
        assert_eq!(capped(&"é".repeat(200)).len(), 256);
        assert_eq!(capped(&format!("x{}", "é".repeat(200))).len(), 255);
    }
}
