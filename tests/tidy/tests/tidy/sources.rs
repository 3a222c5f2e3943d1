//! The Rust files of the repository.

use std::path::{Path, PathBuf};

/// One file, its path relative to the repository.
#[derive(Debug)]
pub struct Source {
    pub path: PathBuf,
    pub text: String,
}

impl Source {
    pub fn lines(&self) -> usize {
        self.text.lines().count()
    }

    /// Part of a library or a program, not of a test.
    pub fn is_production(&self) -> bool {
        self.path.components().any(|part| part.as_os_str() == "src")
    }

    /// Without the unit tests at its end.
    pub fn production_text(&self) -> &str {
        self.text
            .split("\n#[cfg(test)]")
            .next()
            .expect("split gives at least one part")
    }

    /// The words of all string literals, roughly: what stands between two quotation marks on one line.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        self.production_text()
            .lines()
            .flat_map(|line| line.split('"').skip(1).step_by(2))
    }
}

/// Where the repository is.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the tests are inside the repository")
}

/// Every Rust file of every member.
pub fn all() -> Vec<Source> {
    let root = root();
    let mut found = Vec::new();
    for folder in ["gateway", "services", "shared", "tests"] {
        walk(&root.join(folder), &root, &mut found);
    }
    found.sort_by(|one: &Source, other| one.path.cmp(&other.path));
    found
}

fn walk(folder: &Path, root: &Path, found: &mut Vec<Source>) {
    for entry in std::fs::read_dir(folder).expect("a folder can be read") {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() && !path.ends_with("target") {
            walk(&path, root, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source is UTF-8");
            let path = path
                .strip_prefix(root)
                .expect("walked from the root")
                .to_path_buf();
            found.push(Source { path, text });
        }
    }
}
