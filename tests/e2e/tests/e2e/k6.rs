//! k6 beside a system, told of it as `cargo stack k6` tells it.

use std::process::Stdio;

use stack::k6::Scenario;
use stack::prometheus::Prometheus;
use stack::record::Record;
use stack::{Reporter, parts};
use tokio::process::{Child, Command};

use super::system::System;

/// A script of `k6/` as it is, measured by that Prometheus.
pub fn scenario(name: &str, prometheus: &Prometheus) -> Scenario {
    Scenario {
        name: name.to_owned(),
        testid: name.to_owned(),
        prometheus: Some(prometheus.url()),
        facts: true,
        rate: None,
        scale: None,
    }
}

/// Starts it; what it says is in the run's log `k6`, and it ends when it is dropped.
pub async fn start(scenario: &Scenario, system: &System) -> Child {
    let reporter = Reporter::new(|line| println!("{line}"));
    let binary = parts::K6.get(system.place(), &reporter).await;
    let binary = binary.unwrap_or_else(|error| panic!("{error}")).path;
    let record = Record::read(system.place()).unwrap_or_else(|error| panic!("{error}"));
    let log = std::fs::File::create(system.place().log("k6")).unwrap();
    let mut command: Command = scenario.command(&binary, system.place(), &record);
    command
        .arg("--quiet")
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}
