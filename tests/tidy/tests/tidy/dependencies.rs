//! Who may depend on whom: the picture of shared/README.md, from `cargo metadata`.

use std::collections::BTreeSet;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// Members and the members they may use.
const HOUSE: &[(&str, &[&str])] = &[
    ("resilience", &[]),
    ("telemetry", &[]),
    ("consul", &["resilience"]),
    ("upstream", &["resilience", "consul", "telemetry"]),
    ("service", &["upstream", "consul", "telemetry"]),
    (
        "gateway",
        &["service", "upstream", "resilience", "consul", "telemetry"],
    ),
    ("contract", &[]),
    ("stack", &[]),
    ("e2e", &["stack"]),
    ("tidy", &[]),
];

/// What every folder below services/ may use: a new one needs no line here.
const SERVICE: &[&str] = &["service", "upstream"];

/// Crates from outside that only these members may use, so that what they do is in one place.
/// `contract`, `stack` and `e2e` stand outside the system and speak to it as any client would.
const KEPT_TO: &[(&str, &[&str])] = &[
    ("rs-consul", &["consul"]),
    ("awc", &["consul", "upstream", "contract"]),
    ("hyper", &["upstream", "stack", "e2e"]),
    ("hyper-util", &["consul", "upstream", "stack", "e2e"]),
    ("opentelemetry", &["telemetry"]),
    ("opentelemetry_sdk", &["telemetry"]),
    ("opentelemetry-otlp", &["telemetry"]),
    ("opentelemetry-proto", &["telemetry", "stack", "e2e"]),
    ("tracing-opentelemetry", &["telemetry"]),
    ("tracing-subscriber", &["telemetry"]),
    ("governor", &["resilience"]),
    ("config", &["service"]),
    ("clap", &["stack"]),
];

/// All that the pure policies may use: nothing async, no input or output, no clock, metrics or logs.
const PURE: &[&str] = &["arc-swap", "governor", "rand"];

fn metadata() -> Metadata {
    let manifest = super::sources::root().join("Cargo.toml");
    MetadataCommand::new()
        .manifest_path(manifest)
        .no_deps()
        .exec()
        .expect("cargo metadata works")
}

/// What a package uses when it runs, not what its tests use.
fn uses(package: &Package) -> BTreeSet<&str> {
    let normal = package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind == DependencyKind::Normal);
    normal.map(|dependency| dependency.name.as_str()).collect()
}

fn is_service(package: &Package) -> bool {
    package.manifest_path.as_str().contains("/services/")
}

#[test]
fn members_use_only_the_members_that_the_picture_allows() {
    let metadata = metadata();
    let members: BTreeSet<&str> = metadata
        .packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let mut wrong = Vec::new();
    for package in &metadata.packages {
        let listed = HOUSE
            .iter()
            .find(|(name, _)| *name == package.name.as_str())
            .map(|(_, allowed)| *allowed);
        let Some(allowed) = listed.or(is_service(package).then_some(SERVICE)) else {
            wrong.push(format!(
                "{} has no line in HOUSE: one more crate needs an argument in ARCHITECTURE.md",
                package.name
            ));
            continue;
        };
        let used = uses(package)
            .intersection(&members)
            .copied()
            .collect::<BTreeSet<_>>();
        wrong.extend(
            used.iter()
                .filter(|name| !allowed.contains(name))
                .map(|name| format!("{} may not use {name}", package.name)),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_outside_thing_is_touched_where_it_belongs() {
    let metadata = metadata();
    let mut wrong = Vec::new();
    for package in &metadata.packages {
        for (name, members) in KEPT_TO {
            if uses(package).contains(name) && !members.contains(&package.name.as_str()) {
                wrong.push(format!(
                    "{} uses {name}, which is kept to {}",
                    package.name,
                    members.join(", ")
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn policies_are_pure() {
    let metadata = metadata();
    let resilience = metadata
        .packages
        .iter()
        .find(|package| package.name.as_str() == "resilience")
        .expect("it is a member");
    let impure: Vec<&str> = uses(resilience)
        .into_iter()
        .filter(|name| !PURE.contains(name))
        .collect();
    assert!(
        impure.is_empty(),
        "resilience may use {}, not {}",
        PURE.join(", "),
        impure.join(", ")
    );
}

#[test]
fn the_bans_on_clocks_and_ambient_randomness_are_in_force() {
    let bans =
        std::fs::read_to_string(super::sources::root().join("shared/resilience/clippy.toml"))
            .expect("resilience has a clippy.toml");
    for banned in [
        "std::time::Instant::now",
        "std::time::SystemTime::now",
        "std::thread::sleep",
        "rand::rng",
    ] {
        assert!(
            bans.contains(banned),
            "{banned} is not banned in shared/resilience/clippy.toml"
        );
    }
}

#[test]
fn direct_dependencies_are_printed() {
    for package in &metadata().packages {
        println!(
            "dependencies  {:<16} {:>3}  {}",
            package.name,
            uses(package).len(),
            uses(package).into_iter().collect::<Vec<_>>().join(" ")
        );
    }
}
