//! `cargo stack test`: what CI runs, in order, with what each step took.
//!
//! The first step that fails ends it and is named, with the end of what it said.
//! A tool that is not installed is named with the line that brings it; where `CI` is set that is a failure.

use std::process::ExitCode;
use std::time::Instant;

use stack::binaries::{GATEWAY, NO_BUILD, SERVICES};
use stack::{Error, Place};

use super::trial::Trial;
use crate::cli::Test;
use crate::say;

/// Lines shown of a step that failed; all of them are in its log.
const LAST_LINES: usize = 60;

pub async fn run(flags: Test) -> Result<ExitCode, Error> {
    let place = Place::find()?;
    let logs = place.target().join("stack-test-logs");
    std::fs::create_dir_all(&logs).map_err(Error::io(format!("creating {}", logs.display())))?;
    let trials = chosen(flags.only.as_deref(), flags.full)?;

    let begin = Instant::now();
    let (mut tests, mut missing) = (0, Vec::new());
    for trial in &trials {
        if let Some(line) = absent(trial) {
            say::note(&format!(
                "{:<10} not installed; it comes with: {line}",
                trial.name
            ));
            missing.push(trial.name);
            continue;
        }
        let log = logs.join(format!("{}.log", trial.name));
        let outcome = trial.run(place.root(), place.target(), log.clone()).await?;
        tests += outcome.tests;
        if outcome.passed {
            continue;
        }
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        let lines: Vec<&str> = said.lines().collect();
        say::note(&lines[lines.len().saturating_sub(LAST_LINES)..].join("\n"));
        say::error(&format!(
            "{} failed: cargo {} (all of it: {})",
            trial.name,
            trial.args.join(" "),
            log.display()
        ));
        return Ok(ExitCode::FAILURE);
    }
    let not_run = if missing.is_empty() {
        String::new()
    } else {
        format!(", NOT RUN: {}", missing.join(", "))
    };
    say::line(&format!(
        "everything holds, after {:.0} s{not_run}",
        begin.elapsed().as_secs_f64()
    ));
    say::line(&format!("{tests} passed, 0 failed"));
    let complete = missing.is_empty() || std::env::var_os("CI").is_none();
    Ok(if complete {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The steps of every change, with `full` the long ones too, or the one that was asked for.
fn chosen(only: Option<&str>, full: bool) -> Result<Vec<Trial>, Error> {
    let mut all = trials();
    if full || only.is_some() {
        all.extend(longer());
    }
    let Some(name) = only else { return Ok(all) };
    let known: Vec<&str> = all.iter().map(|trial| trial.name).collect();
    let unknown = Error::Other(format!(
        "there is no step {name}; known: {}",
        known.join(", ")
    ));
    all.into_iter()
        .find(|trial| trial.name == name)
        .map(|trial| vec![trial])
        .ok_or(unknown)
}

/// What needs more time or more than Rust and Go: every part at once, scenarios of k6, PostgreSQL, and a Docker engine for `compose.yaml`. Each says so where it is not there, and its figures are in its log.
fn longer() -> [Trial; 4] {
    [
        (
            "seen",
            "test --package e2e -- --ignored --nocapture companions dashboards sampling alerts",
        ),
        ("k6", "test --package e2e -- --ignored --nocapture verdicts"),
        (
            "postgres",
            "test --package e2e -- --ignored --nocapture postgres",
        ),
        (
            "compose",
            "test --package e2e -- --ignored --nocapture compose",
        ),
    ]
    .map(|(name, line)| Trial {
        name,
        args: line.split_whitespace().collect(),
        env: vec![(NO_BUILD, "1")],
        excuse: None,
    })
}

fn trials() -> Vec<Trial> {
    let trial = |name, line: &'static str| Trial {
        name,
        args: line.split_whitespace().collect(),
        env: Vec::new(),
        excuse: None,
    };
    let mut build = trial("build", "build --profile native");
    build.args.extend(
        SERVICES
            .iter()
            .chain([&GATEWAY])
            .flat_map(|package| ["--package", package]),
    );
    let mut advisories = trial("advisories", "deny check advisories");
    // The database is a repository of its own; where it cannot be fetched nothing is known against us, and that is said.
    advisories.excuse = Some((
        "failed to fetch advisory database",
        "the advisory database cannot be fetched from here",
    ));
    let mut e2e = trial("e2e", "test --package e2e --no-fail-fast");
    e2e.env.push((NO_BUILD, "1"));
    vec![
        trial("format", "fmt --all --check"),
        trial("lint", "clippy --workspace --all-targets -- -D warnings"),
        trial("deny", "deny check bans licenses sources"),
        advisories,
        trial("tests", "test --workspace --exclude e2e --no-fail-fast"),
        build,
        e2e,
    ]
}

/// The line that installs what the step needs, when it is not here.
fn absent(trial: &Trial) -> Option<&'static str> {
    let needs_deny = trial.args.first() == Some(&"deny");
    (needs_deny && stack::parts::on_path("cargo-deny").is_none())
        .then_some("cargo install --locked cargo-deny")
}
