//! Looking for a part that is on the machine already: its variable, `PATH`, the cache.
//!
//! What a variable names was meant and is taken as it is; what is on `PATH` just happens to be there, and is asked for its version first.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::version::{numbers, told, version};
use super::{Found, Part};
use crate::error::Error;

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
    fn a_file_that_cannot_be_run_is_no_program() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(!is_program(file.path()));
        assert!(!is_program(Path::new("/")));
    }
}
