//! `docker compose config` takes `compose.yaml` as it is, and every published port moves with its variable. No engine is needed.

use std::process::Output;

use serde_json::Value;
use stack::{Place, Reporter, parts};
use tokio::process::Command;

/// Every published port: whose it is, its own number, the variable that moves it.
const PORTS: &[(&str, u64, &str)] = &[
    ("gateway", 8080, "LICTOR_GATEWAY_PORT"),
    ("gateway", 8081, "LICTOR_GATEWAY_OPS_PORT"),
    ("gateway", 8082, "LICTOR_GATEWAY_ADMIN_PORT"),
    ("consul", 8500, "LICTOR_CONSUL_PORT"),
    ("prometheus", 9090, "LICTOR_PROMETHEUS_PORT"),
    ("grafana", 3000, "LICTOR_GRAFANA_PORT"),
    ("jaeger", 16686, "LICTOR_JAEGER_PORT"),
    ("jaeger", 4318, "LICTOR_OTLP_PORT"),
];

/// What compose makes of the file without any `.env`, in an environment of these variables alone.
async fn config(arguments: &[&str], variables: &[(&str, String)]) -> Output {
    let place = Place::find().unwrap();
    let compose = parts::compose(&place, &Reporter::silent()).await;
    let compose = compose.unwrap_or_else(|error| panic!("{error}"));
    // What a program needs to be found, and Docker to find its plugins.
    let needed = ["PATH", "HOME", "DOCKER_CONFIG"];
    let needed = needed.map(|name| Some((name, std::env::var_os(name)?)));
    Command::new(&compose[0])
        .args(&compose[1..])
        .args(["--env-file", "/dev/null", "--file"])
        .arg(place.root().join("compose.yaml"))
        .args(arguments)
        .env_clear()
        .envs(needed.into_iter().flatten())
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .output()
        .await
        .unwrap()
}

#[tokio::test]
async fn the_file_is_taken_without_a_word_whatever_the_profile_and_with_nothing_set() {
    for profile in [&[][..], &["--profile", "load"]] {
        let output = config(&[profile, &["config", "--quiet"]].concat(), &[]).await;
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        // A variable without a default is a warning alone.
        assert!(
            output.status.success() && said.is_empty(),
            "{profile:?}: {said}"
        );
    }
}

#[tokio::test]
async fn every_published_port_moves_with_its_variable_and_one_alone_can_face_the_world() {
    let moved = |port: u64| (port + 20_000).to_string();
    let mut variables: Vec<_> = PORTS
        .iter()
        .map(|(_, port, variable)| (*variable, moved(*port)))
        .collect();
    variables.push(("LICTOR_BIND", "0.0.0.0".to_owned()));
    let every = ["--profile", "load", "config", "--format", "json"];
    let output = config(&every, &variables).await;
    assert!(output.status.success(), "{output:?}");
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();

    let mut found = Vec::new();
    for (name, service) in json["services"].as_object().unwrap() {
        for port in service["ports"].as_array().into_iter().flatten() {
            let target = port["target"].as_u64().unwrap();
            assert_eq!(port["published"], *moved(target), "{name}: {port}");
            let open = if target == 8080 {
                "0.0.0.0"
            } else {
                "127.0.0.1"
            };
            assert_eq!(port["host_ip"], open, "{name}: {port}");
            found.push((name.as_str(), target));
        }
    }
    let mut wanted: Vec<_> = PORTS.iter().map(|(name, port, _)| (*name, *port)).collect();
    wanted.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, wanted);
    // The link in Consul's page is followed by a browser of the host.
    let link = json["services"]["consul"]["command"].to_string();
    assert!(
        link.contains("http://localhost:23000/d/lictor-service"),
        "{link}"
    );
}
