//! Where things are: the repository, cargo's target directory, and the state directory of one run.
//!
//! A run keeps everything it writes below its state directory (`target/stack` for `cargo stack up`, another one for tests), so that two runs never meet and `rm -r` forgets a run.
//! Nothing here creates or reads a file, except for looking where the repository begins.

use std::path::{Path, PathBuf};

use crate::error::Error;

/// A socket path must fit into `sun_path`, 104 bytes on the smallest platform we know.
const LONGEST_SOCKET_PATH: usize = 100;

/// The directories of one run.
#[derive(Clone, Debug)]
pub struct Place {
    root: PathBuf,
    target: PathBuf,
    state: PathBuf,
    binaries: PathBuf,
}

impl Place {
    /// The repository around the current directory (else the one this program was built from), with the state directory of `cargo stack up`.
    pub fn find() -> Result<Self, Error> {
        let here =
            std::env::current_dir().map_err(Error::io("asking for the current directory"))?;
        let built_from = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here
            .ancestors()
            .chain(built_from.ancestors())
            .find(|folder| is_repository(folder))
            .ok_or_else(|| Error::Other("this is not inside the repository: no folder above has gateway/ and tests/stack/".into()))?
            .to_path_buf();
        let target =
            root.join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()));
        Ok(Self {
            state: target.join("stack"),
            binaries: target.join("native"),
            root,
            target,
        })
    }

    /// The same repository with another state directory below the target directory.
    pub fn with_state(mut self, name: &str) -> Self {
        self.state = self.target.join(name);
        self
    }

    /// The same with binaries from another folder than the one of the profile `native`.
    pub fn with_binaries(mut self, folder: impl Into<PathBuf>) -> Self {
        self.binaries = folder.into();
        self
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Cargo's target directory.
    pub fn target(&self) -> &Path {
        &self.target
    }

    pub fn state(&self) -> &Path {
        &self.state
    }

    /// The record of what runs, for a second shell.
    pub fn run_file(&self) -> PathBuf {
        self.state.join("run.json")
    }

    /// Locked as long as a run lives; the file itself stays.
    pub fn lock_file(&self) -> PathBuf {
        self.state.join("run.lock")
    }

    /// Where the running `up` listens for commands.
    pub fn control_socket(&self) -> PathBuf {
        let path = self.state.join("control.sock");
        if path.as_os_str().len() <= LONGEST_SOCKET_PATH {
            return path;
        }
        std::env::temp_dir().join(format!("lictor-{}.sock", std::process::id()))
    }

    pub fn logs(&self) -> PathBuf {
        self.state.join("logs")
    }

    pub fn log(&self, name: &str) -> PathBuf {
        self.logs().join(format!("{name}.log"))
    }

    /// The databases: one file per service.
    pub fn data(&self) -> PathBuf {
        self.state.join("data")
    }

    pub fn consul_data(&self) -> PathBuf {
        self.state.join("consul")
    }

    pub fn consul_config(&self) -> PathBuf {
        self.state.join("consul.json")
    }

    pub fn prometheus_data(&self) -> PathBuf {
        self.state.join("prometheus")
    }

    /// The repository's configuration with this run's addresses.
    pub fn prometheus_config(&self) -> PathBuf {
        self.state.join("prometheus.yml")
    }

    /// The gateway's overlay: generated keys and what only a native run sets.
    pub fn overlay(&self) -> PathBuf {
        self.state.join("gateway.toml")
    }

    /// A binary that is run.
    pub fn binary(&self, name: &str) -> PathBuf {
        self.binaries.join(name)
    }
}

fn is_repository(folder: &Path) -> bool {
    folder.join("gateway").is_dir() && folder.join("tests/stack/Cargo.toml").is_file()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_found_from_within() {
        let place = Place::find().unwrap();
        assert!(place.root().join("tests/stack/src/place.rs").is_file());
    }

    #[test]
    fn another_state_directory_keeps_the_same_binaries() {
        let usual = Place::find().unwrap();
        let other = usual.clone().with_state("stack-test");
        assert_ne!(usual.run_file(), other.run_file());
        assert_eq!(usual.binary("gateway"), other.binary("gateway"));
    }

    #[test]
    fn a_long_path_still_gives_a_socket_that_can_be_bound() {
        let place = Place::find().unwrap().with_state(&"deep/".repeat(40));
        assert!(place.control_socket().as_os_str().len() <= LONGEST_SOCKET_PATH);
    }
}
