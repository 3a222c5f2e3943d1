//! The runner against real processes: a real Consul, stand-ins for the services (`examples/stand_in.rs`), real sockets.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;

mod compose;
mod k6;
mod life;
mod load;
mod parts;
mod process;
mod rules;
mod sink;
mod two_shells;
mod verbs;

/// A folder in which every binary is the stand-in.
fn stand_ins() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let stand_in: PathBuf = std::env::current_exe()
        .unwrap()
        .ancestors()
        .nth(2)
        .unwrap()
        .join("examples/stand_in");
    assert!(
        stand_in.is_file(),
        "{} is missing; build it with: cargo build -p stack --examples",
        stand_in.display()
    );
    for name in stack::binaries::SERVICES
        .iter()
        .chain([&stack::binaries::GATEWAY])
    {
        std::os::unix::fs::symlink(&stand_in, folder.path().join(name)).unwrap();
    }
    folder
}
