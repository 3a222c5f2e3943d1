//! The words that both sides use: what a registration writes into `Meta`, a watch reads there.
//!
//! Zone and version are repeated as tags `key=value` for people, DNS and Prometheus.

/// Failure domain.
pub(crate) const ZONE: &str = "zone";
/// Version of the program.
pub(crate) const VERSION: &str = "version";
/// Port of the ops listener: probes and metrics.
pub(crate) const OPS_PORT: &str = "ops_port";
/// Who registered it; only what is ours is ever cleaned up.
pub(crate) const OWNER: &str = "owner";
/// Eight hex digits that differ from one start of the process to the next.
pub(crate) const BOOT: &str = "boot";
/// The value of [`OWNER`].
pub(crate) const OURS: &str = "lictor";

/// Values become metric labels and DNS names: short, lower-case, no surprises. Dots are for versions.
pub(crate) fn is_label(value: &str) -> bool {
    let fits = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'-' | b'.');
    (1..=32).contains(&value.len()) && value.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short_and_plain() {
        for good in [
            "a",
            "eu-west-1",
            "0.1.0",
            "abcdefghijklmnopqrstuvwxyz012345",
        ] {
            assert!(is_label(good), "{good}");
        }
        for bad in [
            "",
            "A",
            "a b",
            "a_b",
            "ä",
            "abcdefghijklmnopqrstuvwxyz0123456",
        ] {
            assert!(!is_label(bad), "{bad}");
        }
    }
}
