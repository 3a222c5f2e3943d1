//! The scenarios of `k6/`, as k6 itself reads them: none is broken, each is an open model, each is in the README.

use serde_json::Value;
use stack::{Place, Reporter, parts};
use tokio::process::Command;

/// What k6 makes of a script's options.
async fn inspected(name: &str) -> Value {
    let place = Place::find().unwrap();
    let k6 = parts::K6.get(&place, &Reporter::silent()).await.unwrap();
    let output = Command::new(k6.path)
        .arg("inspect")
        .arg(place.root().join(format!("k6/{name}.js")))
        .env("K6_AUTO_EXTENSION_RESOLUTION", "false")
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn scenarios() -> Vec<String> {
    let entries = std::fs::read_dir(Place::find().unwrap().root().join("k6")).unwrap();
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "js"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn every_scenario_is_an_open_model_that_drops_nothing_and_asserts_facts() {
    let names = scenarios();
    assert!(names.len() >= 10, "{names:?}");
    for name in names {
        let options = inspected(&name).await;
        assert_eq!(
            options["thresholds"]["dropped_iterations"][0], "count==0",
            "{name}"
        );
        for (scenario, settings) in options["scenarios"].as_object().unwrap() {
            // What is done once beside the load is no load.
            let executor = settings["executor"].as_str().unwrap();
            let open = executor.ends_with("arrival-rate");
            let once = executor == "per-vu-iterations" && settings["iterations"] == 1;
            assert!(open || once, "{name}: {scenario} is {executor}");
        }
        let thresholds = options["thresholds"].as_object().unwrap();
        let promised = |what: &str| thresholds.keys().any(|key| key.starts_with(what));
        for what in ["facts_kept{", "errors{phase:", "http_req_duration{phase:"] {
            assert!(promised(what), "{name} promises nothing of {what}");
        }
    }
}

/// Phase and route of each promise about errors.
fn promised(options: &Value) -> Vec<(String, String)> {
    let thresholds = options["thresholds"].as_object().unwrap();
    let tags = thresholds
        .keys()
        .filter_map(|key| key.strip_prefix("errors{phase:")?.strip_suffix('}'));
    tags.filter_map(|tags| tags.split_once(",route:"))
        .map(|(phase, route)| (phase.to_owned(), route.to_owned()))
        .collect()
}

#[tokio::test]
async fn a_phase_that_promises_anything_promises_it_of_every_route_of_the_journey() {
    let smoke = promised(&inspected("smoke").await);
    assert!(smoke.iter().any(|(_, route)| route == "sign_in"));
    for name in scenarios() {
        let promises = promised(&inspected(&name).await);
        for (phase, _) in &promises {
            for (_, route) in &smoke {
                let promise = (phase.clone(), route.clone());
                assert!(
                    promises.contains(&promise),
                    "{name} promises nothing of {route} in {phase}"
                );
            }
        }
    }
}

#[test]
fn every_scenario_is_in_the_readme_and_none_besides() {
    let readme = Place::find().unwrap().root().join("k6/README.md");
    let text = std::fs::read_to_string(readme).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    // The table of scenarios has four columns, that of metrics two.
    let rows = rows.filter(|row| row.matches(" | ").count() == 3);
    let mut told: Vec<&str> = rows
        .filter_map(|row| row.split_once("` |").map(|(name, _)| name))
        .filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
        .collect();
    let mut there = scenarios();
    told.sort_unstable();
    there.sort_unstable();
    assert_eq!(told, there);
}
