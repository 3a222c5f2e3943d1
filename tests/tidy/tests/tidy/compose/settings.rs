//! Every `LICTOR_SECTION__KEY` of `compose.yaml` and of the `Dockerfile` is a key that the process has: it would not start with another.

use std::collections::BTreeSet;

use super::{Compose, text};

/// The keys of the files that a process starts with, as its environment writes them.
/// A key without a default stands in a comment that says so: `# otlp_endpoint = "..."   (unset: ...)`.
fn keys(package: &str) -> BTreeSet<String> {
    let own = match package {
        "gateway" => "gateway/gateway.toml".to_owned(),
        service => format!("services/{service}/{service}.toml"),
    };
    let mut found = BTreeSet::new();
    for path in ["shared/service/service.toml", &own] {
        let file = text(path);
        let mut section = String::new();
        for line in file.lines() {
            let unset = line
                .strip_prefix("# ")
                .filter(|line| line.contains("   (unset: "));
            let line = unset.unwrap_or(line);
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_end_matches(']').replace('.', "__");
            } else if let Some((key, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#'))
            {
                found.insert(format!("LICTOR_{section}__{key}").to_uppercase());
            }
        }
    }
    found
}

#[test]
fn every_setting_of_a_container_is_a_key_of_its_process() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (name, container) in Compose::read().services {
        let ours = container.environment.keys();
        let ours = ours.filter(|key| key.starts_with("LICTOR_"));
        let Some(package) = container.package() else {
            wrong.extend(ours.map(|key| format!("{name} is not ours and is given {key}")));
            continue;
        };
        let known = keys(package);
        let (right, strange): (Vec<_>, Vec<_>) = ours.partition(|key| known.contains(*key));
        seen += right.len();
        wrong.extend(strange.iter().map(|key| format!("{name} has no {key}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 80, "the settings were not found");
}

#[test]
fn every_setting_of_the_image_is_a_key_of_every_process() {
    let docker = text("Dockerfile");
    let words = docker.split_whitespace();
    let set: Vec<&str> = words
        .filter_map(|word| Some(word.split_once('=')?.0))
        .filter(|name| name.starts_with("LICTOR_"))
        .collect();
    assert!(set.len() >= 3, "{set:?}");
    for package in super::services()
        .iter()
        .map(String::as_str)
        .chain(["gateway"])
    {
        let known = keys(package);
        for name in &set {
            assert!(known.contains(*name), "{package} has no {name}");
        }
    }
}
