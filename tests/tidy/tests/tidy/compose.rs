//! `compose.yaml` and `Dockerfile` say what the manifests, the configuration and the folders say.
//!
//! Read as text, so that this needs neither Docker nor a YAML parser; that it is whole and works is for `docker compose config` and the end-to-end test.

use super::sources;

fn text(path: &str) -> String {
    std::fs::read_to_string(sources::root().join(path))
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
    for name in services() {
        for needed in [
            format!("\n  {name}-a: &{name}\n"),
            format!("\n  {name}-b:\n    <<: *{name}\n"),
            format!("build: {{ context: ., args: {{ BINARY: {name} }} }}"),
            format!("LICTOR_STORE__URL: postgres://{name}:{name}@postgres/{name}\n"),
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
fn ports_are_those_of_the_configuration_and_the_admin_listener_stays_on_this_host() {
    let (compose, gateway) = (text("compose.yaml"), text("gateway/gateway.toml"));
    let (docker, consul) = (text("Dockerfile"), text("shared/service/service.toml"));
    for (key, variable, bind) in [
        ("public", "LICTOR_GATEWAY_PORT", "${LICTOR_BIND:-127.0.0.1}"),
        ("ops", "LICTOR_GATEWAY_OPS_PORT", "127.0.0.1"),
        ("admin", "LICTOR_GATEWAY_ADMIN_PORT", "127.0.0.1"),
    ] {
        let port = gateway
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{key} = \"127.0.0.1:")))
            .map(|rest| rest.trim_end_matches('"'))
            .unwrap_or_else(|| panic!("gateway.toml has no server.{key}"));
        let published = format!("- \"{bind}:${{{variable}:-{port}}}:{port}\"\n");
        assert!(
            compose.contains(&published),
            "compose.yaml lacks: {published}"
        );
        let listens = format!("LICTOR_SERVER__{}: 0.0.0.0:{port}\n", key.to_uppercase());
        assert!(compose.contains(&listens), "compose.yaml lacks: {listens}");
        let listens = listens.trim_end().replace(": ", "=");
        assert!(docker.contains(&listens), "Dockerfile lacks: {listens}");
    }
    assert!(consul.contains("address = \"http://127.0.0.1:8500\""));
    assert!(compose.contains(":-8500}:8500\""));
    // Nothing else faces the world.
    let open: Vec<&str> = compose
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("- \"") && line.contains("_PORT:-"))
        .filter(|line| !line.starts_with("- \"127.0.0.1:"))
        .collect();
    assert_eq!(open.len(), 1, "published beyond this host: {open:?}");
}

#[test]
fn every_mounted_path_is_there_and_every_image_is_pinned() {
    let compose = text("compose.yaml");
    for line in compose.lines().map(str::trim) {
        if let Some(mount) = line.strip_prefix("- ./") {
            let path = mount.split(':').next().expect("the first of several");
            let there = sources::root().join(path).exists();
            assert!(there, "compose.yaml mounts ./{path}, which is not there");
            assert!(mount.ends_with(":ro"), "./{path} could be written to");
        }
        if let Some(image) = line.strip_prefix("image: ") {
            let tag = image.rsplit(':').next().expect("the last of several");
            assert!(
                image.contains(':') && tag != "latest",
                "{image} is not pinned"
            );
        }
    }
    let version = text("Cargo.toml")
        .lines()
        .find_map(|line| {
            line.strip_prefix("version = \"")
                .map(|rest| rest.trim_end_matches('"').to_owned())
        })
        .expect("the workspace has a version");
    let named = compose
        .lines()
        .filter(|line| line.contains("${LICTOR_IMAGES:-lictor}"))
        .all(|line| line.ends_with(&format!("${{LICTOR_VERSION:-{version}}}")));
    assert!(named, "an image of ours has another version than {version}");
}
