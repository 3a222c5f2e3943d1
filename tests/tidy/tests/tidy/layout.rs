//! Where things are and what they are called.

use std::path::{Path, PathBuf};

use super::sources;

/// Names that say nothing: what would go there belongs where it is used.
const EMPTY_NAMES: &[&str] = &[
    "common", "helper", "helpers", "misc", "types", "util", "utils",
];

/// Lines below `[dependencies]` and its like: the gateway has the most.
const DEPENDENCY_LINES: usize = 27;

fn manifests() -> Vec<PathBuf> {
    let root = sources::root();
    let inside = |folder: &str| {
        let entries = std::fs::read_dir(root.join(folder)).expect("a folder can be read");
        entries
            .map(|entry| {
                entry
                    .expect("an entry can be read")
                    .path()
                    .join("Cargo.toml")
            })
            .filter(|path| path.is_file())
            .collect::<Vec<_>>()
    };
    let mut found: Vec<PathBuf> = ["services", "shared", "tests"]
        .into_iter()
        .flat_map(inside)
        .collect();
    found.push(root.join("gateway/Cargo.toml"));
    found
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a manifest is UTF-8")
}

#[test]
fn a_folder_is_called_like_its_package() {
    for path in manifests() {
        let folder = path
            .parent()
            .and_then(Path::file_name)
            .and_then(|name| name.to_str())
            .expect("a manifest is in a folder")
            .to_owned();
        let named = read(&path)
            .lines()
            .any(|line| line.replace(' ', "") == format!("name=\"{folder}\""));
        assert!(
            named,
            "{} does not name its package {folder}",
            path.display()
        );
    }
}

#[test]
fn manifests_stay_short_and_take_their_versions_from_the_workspace() {
    for path in manifests() {
        let text = read(&path);
        let mut lines = 0;
        let mut below_dependencies = false;
        for line in text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            if line.starts_with('[') {
                below_dependencies = line.contains("dependencies");
            } else if below_dependencies {
                lines += 1;
                assert!(
                    line.contains("workspace = true") || line.contains("path = \"../"),
                    "{}: {line}: versions are in the root manifest",
                    path.display()
                );
            }
        }
        assert!(
            lines <= DEPENDENCY_LINES,
            "{} has {lines} dependencies; at most {DEPENDENCY_LINES}",
            path.display()
        );
        assert!(
            text.contains("[lints]\nworkspace = true"),
            "{} does not take the workspace's lints",
            path.display()
        );
    }
}

#[test]
fn no_module_has_an_empty_name() {
    for source in sources::all() {
        let parts = source
            .path
            .with_extension("")
            .components()
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .collect::<Vec<_>>();
        let empty = parts
            .iter()
            .find(|part| EMPTY_NAMES.contains(&part.as_str()));
        assert!(
            empty.is_none(),
            "{}: a module's name says what it decides",
            source.path.display()
        );
    }
}

#[test]
fn every_production_file_opens_with_what_it_is_for() {
    let silent: Vec<String> = sources::all()
        .iter()
        .filter(|source| source.is_production() && !source.text.starts_with("//!"))
        .map(|source| source.path.display().to_string())
        .collect();
    assert!(
        silent.is_empty(),
        "without a module comment:\n{}",
        silent.join("\n")
    );
}

#[test]
fn every_allow_has_its_reason() {
    let mut wrong = Vec::new();
    for source in sources::all() {
        let mut rest = source.text.as_str();
        while let Some((_, after)) = rest.split_once("[allow(") {
            let attribute = after.split(")]").next().unwrap_or_default();
            if !attribute.contains("reason") && !after.starts_with("\")") {
                wrong.push(format!("{}: allow({attribute})", source.path.display()));
            }
            rest = after;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
