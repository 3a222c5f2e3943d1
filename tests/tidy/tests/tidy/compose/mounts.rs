//! What is mounted is there, cannot be written to, and is what the programs are told to read. Compose itself makes an empty folder of a path that is not there.

use super::Compose;
use crate::sources;

/// Folders in which an image has nothing of ours: what a program is told to read there must be mounted.
const OURS: &[&str] = &["/etc/lictor", "/etc/prometheus", "/etc/grafana", "/k6"];

#[test]
fn every_mounted_path_is_there_and_cannot_be_written_to() {
    let mut mounts = 0;
    for (name, container) in Compose::read().services {
        for mount in container.mounts() {
            let there = sources::root().join(mount.from).exists();
            assert!(there, "{name} mounts {}, which is not there", mount.from);
            assert_eq!(mount.options, "ro", "{name}: {}", mount.from);
            mounts += 1;
        }
    }
    assert!(mounts >= 8, "{mounts} mounts were found");
}

#[test]
fn every_file_that_a_program_is_told_to_read_is_mounted() {
    let mut told = 0;
    for (name, container) in Compose::read().services {
        for word in container.words() {
            let path = word.find('/').map_or("", |at| &word[at..]);
            if OURS.iter().any(|folder| path.starts_with(folder)) {
                let behind = container.behind(path);
                let there = behind.as_ref().map(|file| sources::root().join(file));
                assert!(
                    there.is_some_and(|file| file.is_file()),
                    "{name} reads {path}, which is {behind:?} in this repository"
                );
                told += 1;
            }
        }
    }
    assert!(told >= 5, "{told} files were found");
}
