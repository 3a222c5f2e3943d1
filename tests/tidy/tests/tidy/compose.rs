//! `compose.yaml` and `Dockerfile` say what the manifests, the configuration and the folders say.
//!
//! `ports.rs` is about who listens where, `addresses.rs` about who calls whom, `settings.rs` about our processes' environment, `mounts.rs` about files.
//! That compose itself takes the file is shown in `tests/stack/tests/stack/compose.rs`, that it works in the end-to-end test.

mod addresses;
mod mounts;
mod ports;
mod settings;

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{sources, yaml};

/// Our images begin so.
const OURS: &str = "${LICTOR_IMAGES:-lictor}/";

/// What of `compose.yaml` is held against something else.
#[derive(Debug, Deserialize)]
pub struct Compose {
    pub services: BTreeMap<String, Container>,
}

#[derive(Debug, Deserialize)]
pub struct Container {
    pub image: String,
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// `BIND:PUBLISHED:PORT`.
    #[serde(default)]
    pub ports: Vec<String>,
    #[serde(default)]
    volumes: Vec<String>,
    #[serde(default)]
    entrypoint: Vec<String>,
    #[serde(default)]
    command: Vec<String>,
    healthcheck: Option<HealthCheck>,
}

#[derive(Debug, Deserialize)]
struct HealthCheck {
    test: Vec<String>,
}

/// A file or folder of the repository in a container.
#[derive(Debug, PartialEq)]
pub struct Mount<'a> {
    /// Relative to the repository.
    pub from: &'a str,
    pub to: &'a str,
    pub options: &'a str,
}

impl Compose {
    pub fn read() -> Self {
        yaml::read("compose.yaml")
    }
}

impl Container {
    /// The package whose program it runs, if that is one of ours.
    fn package(&self) -> Option<&str> {
        let (name, _) = self.image.strip_prefix(OURS)?.split_once(':')?;
        Some(name)
    }

    pub fn mounts(&self) -> impl Iterator<Item = Mount<'_>> {
        self.volumes.iter().filter_map(|volume| {
            let (from, rest) = volume.strip_prefix("./")?.split_once(':')?;
            let (to, options) = rest.split_once(':').unwrap_or((rest, ""));
            Some(Mount { from, to, options })
        })
    }

    /// The repository's path of what the container sees under this one.
    pub fn behind(&self, path: &str) -> Option<String> {
        self.mounts().find_map(|mount| {
            let below = path.strip_prefix(mount.to)?;
            (below.is_empty() || below.starts_with('/')).then(|| mount.from.to_owned() + below)
        })
    }

    /// Whatever it is started and asked with.
    fn words(&self) -> impl Iterator<Item = &str> {
        let asked = self.healthcheck.iter().flat_map(|check| &check.test);
        let words = self.entrypoint.iter().chain(&self.command).chain(asked);
        words.map(String::as_str)
    }
}

fn text(path: &str) -> String {
    std::fs::read_to_string(sources::root().join(path))
        .unwrap_or_else(|why| panic!("{path}: {why}"))
}

fn toml(path: &str) -> toml::Table {
    text(path)
        .parse()
        .unwrap_or_else(|why| panic!("{path}: {why}"))
}

fn services() -> Vec<String> {
    let folder = sources::root().join("services");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .expect("services/ can be read")
        .flatten()
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn each_service_is_there_in_two_zones_and_owns_a_database() {
    let (compose, sql, docker) = (
        text("compose.yaml"),
        text("services/postgres.sql"),
        text("Dockerfile"),
    );
    let containers = Compose::read().services;
    for name in services() {
        for zone in ["a", "b"] {
            let container = &containers[&format!("{name}-{zone}")];
            assert_eq!(container.package(), Some(&*name));
            let set = |key: &str| container.environment[key].as_str();
            assert_eq!(set("LICTOR_IDENTITY__ZONE"), zone, "{name}-{zone}");
            let database = format!("postgres://{name}:{name}@postgres/{name}");
            assert_eq!(set("LICTOR_STORE__URL"), database, "{name}-{zone}");
        }
        for needed in [
            format!("build: {{ context: ., args: {{ BINARY: {name} }} }}"),
            format!("\n      {name}-a: {{ condition: service_healthy }}\n"),
        ] {
            assert!(compose.contains(&needed), "compose.yaml lacks: {needed}");
        }
        for needed in [
            format!("CREATE ROLE {name} LOGIN PASSWORD '{name}';"),
            format!("CREATE DATABASE {name} OWNER {name};"),
            format!("REVOKE CONNECT ON DATABASE {name} FROM PUBLIC;"),
        ] {
            assert!(
                sql.contains(&needed),
                "services/postgres.sql lacks: {needed}"
            );
        }
        assert!(
            docker.contains(&format!("-p {name}")),
            "Dockerfile does not build {name}"
        );
    }
}

#[test]
fn every_image_is_pinned_and_ours_have_the_version_of_the_workspace() {
    let manifest = toml("Cargo.toml");
    let version = manifest["workspace"]["package"]["version"].as_str();
    let version = version.expect("the workspace has a version");
    for (name, container) in Compose::read().services {
        let image = &container.image;
        if let Some(package) = container.package() {
            let wanted = format!("{OURS}{package}:${{LICTOR_VERSION:-{version}}}");
            assert_eq!(*image, wanted, "{name}");
        } else {
            let tag = image.split_once(':').map_or("latest", |(_, tag)| tag);
            assert_ne!(tag, "latest", "{name}: {image} is not pinned");
        }
    }
}
