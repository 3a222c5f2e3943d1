//! Looking for a part that is on the machine already: its variable, `PATH`, the cache.
//!
//! What a variable names was meant and is taken as it is; what is on `PATH` just happens to be there, and is asked for its version first.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::{Found, Part};
use crate::error::Error;

/// A program that takes longer to tell its version is no use.
const LIMIT: Duration = Duration::from_secs(10);

/// A variable that names no program is an error: someone meant something by it.
pub async fn find(part: &Part) -> Result<Option<Found>, Error> {
    if let Some(path) = std::env::var_os(part.variable).map(PathBuf::from) {
        if !is_program(&path) {
            return Err(Error::Missing {
                name: part.name.to_owned(),
                why: format!("{}={} is not a program", part.variable, path.display()),
            });
        }
        return Ok(Some(Found {
            path,
            way: format!("from {}", part.variable),
        }));
    }
    let passed_over = match fitting(part).await {
        Some(Ok(path)) => {
            return Ok(Some(Found {
                way: format!("on PATH, {}", path.display()),
                path,
            }));
        }
        Some(Err(why)) => format!("; {why}"),
        None => String::new(),
    };
    let path = part.cached()?;
    Ok(is_program(&path).then(|| Found {
        way: format!("from the cache, {}{passed_over}", path.display()),
        path,
    }))
}

/// The one on `PATH`, or why it is not taken.
pub async fn fitting(part: &Part) -> Option<Result<PathBuf, String>> {
    let path = on_path(part.name)?;
    let told = told(&path, part.version_args).await;
    let least = numbers(part.least);
    Some(match version(&told) {
        Some(version) if numbers(version) >= least => Ok(path),
        Some(version) => Err(format!(
            "{} is {version}, at least {} is needed",
            path.display(),
            part.least
        )),
        None => Err(format!(
            "{} does not tell its version, at least {} is needed",
            path.display(),
            part.least
        )),
    })
}

/// Whatever it says of its version, on whichever stream.
async fn told(program: &Path, args: &[&str]) -> String {
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
fn version(told: &str) -> Option<&str> {
    let word = |c: char| !c.is_ascii_alphanumeric() && c != '.';
    told.split(word)
        .map(|word| word.strip_prefix('v').unwrap_or(word))
        .find(|word| {
            let mut parts = word.split('.');
            word.contains('.') && parts.all(|part| part.parse::<u32>().is_ok())
        })
}

fn numbers(version: &str) -> Vec<u32> {
    version
        .split('.')
        .map_while(|one| one.parse().ok())
        .collect()
}

/// The first program of that name on `PATH`.
pub fn on_path(name: &str) -> Option<PathBuf> {
    on(&std::env::var_os("PATH")?, name)
}

/// `${XDG_CACHE_HOME:-~/.cache}/lictor/bin`.
pub fn cache() -> Result<PathBuf, Error> {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from);
    base.or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
        .map(|base| base.join("lictor/bin"))
        .ok_or_else(|| {
            Error::Other("neither XDG_CACHE_HOME nor HOME says where a cache may be".into())
        })
}

fn on(path: &OsStr, name: &str) -> Option<PathBuf> {
    std::env::split_paths(path)
        .map(|folder| folder.join(name))
        .find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_in_the_first_folder_that_has_it() {
        assert_eq!(
            on(OsStr::new("/nowhere:/bin:/usr/bin"), "sh").unwrap(),
            Path::new("/bin/sh")
        );
        assert_eq!(on(OsStr::new("/nowhere"), "sh"), None);
    }

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

    #[test]
    fn a_file_that_cannot_be_run_is_no_program() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(!is_program(file.path()));
        assert!(!is_program(Path::new("/")));
    }
}
