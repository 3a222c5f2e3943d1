//! promtool says that Prometheus takes the configuration, and that the rules do what they should.

use std::path::Path;
use std::process::Command;

use stack::{Place, Reporter, parts};

/// What promtool says of these files; it must be content.
async fn promtool(arguments: &[&str], files: &[&str]) -> String {
    let place = Place::find().unwrap();
    let promtool = parts::PROMTOOL.get(&place, &Reporter::silent()).await;
    let promtool = promtool.unwrap_or_else(|error| panic!("{error}")).path;
    let folder = place.root().join("observability/prometheus");
    let output = Command::new(promtool)
        .args(arguments)
        .args(files.iter().map(Path::new))
        .current_dir(folder)
        .output()
        .unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{arguments:?}: {said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_and_the_rules_are_taken() {
    let said = promtool(
        &["check", "config", "--lint=all", "--lint-fatal"],
        &["prometheus.yml"],
    )
    .await;
    assert!(said.contains("2 rule files found"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_does_what_its_tests_say() {
    let folder = Place::find().unwrap();
    let folder = folder.root().join("observability/prometheus/tests");
    let files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".yml"))
        .map(|name| format!("tests/{name}"))
        .collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    assert!(files.len() >= 3, "{files:?}");
    let said = promtool(&["test", "rules"], &files).await;
    assert_eq!(said.matches("SUCCESS").count(), files.len(), "{said}");
}
