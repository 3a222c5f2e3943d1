//! Which version a program is, by its own word.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

/// A program that takes longer to tell its version is no use.
const LIMIT: Duration = Duration::from_secs(10);

/// Whatever it says of its version, on whichever stream.
pub async fn told(program: &Path, args: &[&str]) -> String {
    let mut asked = Command::new(program);
    asked.args(args).stdin(Stdio::null()).kill_on_drop(true);
    match tokio::time::timeout(LIMIT, asked.output()).await {
        Ok(Ok(output)) => {
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
        }
        _ => String::new(),
    }
}

/// The first `1.2` or `v1.2.3` that is a word of its own: the `go1.26` of a compiler is none.
pub fn version(told: &str) -> Option<&str> {
    let word = |c: char| !c.is_ascii_alphanumeric() && c != '.';
    told.split(word)
        .map(|word| word.strip_prefix('v').unwrap_or(word))
        .find(|word| {
            let mut parts = word.split('.');
            word.contains('.') && parts.all(|part| part.parse::<u32>().is_ok())
        })
}

/// To be compared: 1.9 is below 1.20.
pub fn numbers(version: &str) -> Vec<u32> {
    version
        .split('.')
        .map_while(|one| one.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_in_what_each_part_says() {
        for (told, wanted) in [
            ("Consul v1.22.6\nRevision ab1.2", Some("1.22.6")),
            (
                "prometheus, version 2.42.0+ds (branch: debian/sid)",
                Some("2.42.0"),
            ),
            ("k6 v2.2.0 (go1.26.8, linux/amd64)", Some("2.2.0")),
            (
                "{\"gitCommit\":\"3d2\",\"gitVersion\":\"v2.13.0\"}",
                Some("2.13.0"),
            ),
            ("Docker Compose version v2.40.3", Some("2.40.3")),
            (
                "docker-compose version 1.29.2, build unknown",
                Some("1.29.2"),
            ),
            (
                "prometheus, version  (branch: )\n go version: go1.26.8",
                None,
            ),
            (
                "2026/11/27 03:34:06 application version: git-version=",
                None,
            ),
            ("", None),
        ] {
            assert_eq!(version(told), wanted, "{told}");
        }
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(numbers("1.22.6") >= numbers("1.20"));
        assert!(numbers("1.9.17") < numbers("1.20"));
        assert!(numbers("3.14.0") >= numbers("3"));
        assert!(numbers("2.42.0") < numbers("3"));
    }
}
