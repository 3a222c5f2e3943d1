//! `cargo stack doctor`: which tools are here, which versions, and the one line that brings what is missing.

use std::process::ExitCode;
use std::time::Duration;

use stack::parts::{self, Part};
use stack::{Error, Place, Reporter};
use tokio::process::Command;

use crate::say;

/// A tool that takes longer to tell its version is broken.
const LIMIT: Duration = Duration::from_secs(10);

/// Tools that come from elsewhere: name, how to ask for the version, what it is for, the line that brings it.
const OTHERS: &[(&str, &[&str], &str, &str)] = &[
    (
        "cargo-deny",
        &["--version"],
        "cargo stack test",
        "cargo install --locked cargo-deny",
    ),
    (
        "curl",
        &["--version"],
        "fetching release archives, the lines that `up` prints",
        "your system's package manager: curl",
    ),
    (
        "unzip",
        &["-v"],
        "opening release archives",
        "your system's package manager: unzip",
    ),
    (
        "go",
        &["version"],
        "building tools where no archive can be fetched",
        "https://go.dev/dl (1.26 or later)",
    ),
    (
        "chromium",
        &["--version"],
        "the test of the gateway's live page",
        "apt-get install chromium",
    ),
    (
        "docker",
        &["--version"],
        "docker compose up, cargo stack test --only compose",
        "https://docs.docker.com/engine/install",
    ),
];

pub async fn run(fetch: Option<String>) -> Result<ExitCode, Error> {
    let place = Place::find()?;
    if let Some(name) = fetch {
        return get(&name, &place).await;
    }
    let mut complete = true;
    for part in parts::ALL {
        match part.find().await? {
            Some(found) => {
                let version = version(&found.path.to_string_lossy(), part.version_args).await;
                say::line(&format!(
                    "ok       {:<11} {version} ({})",
                    part.name, found.way
                ));
            }
            None => {
                complete &= !part.required();
                let why = part.passed_over().await;
                let why = why.map_or(String::new(), |why| format!(" ({why})"));
                say::line(&format!(
                    "missing  {:<11} {}{why}; {}",
                    part.name,
                    purpose(part),
                    part.hint()
                ));
            }
        }
    }
    for (name, args, purpose, line) in OTHERS {
        match parts::on_path(name) {
            Some(path) => say::line(&format!(
                "ok       {name:<11} {}",
                version(&path.to_string_lossy(), args).await
            )),
            None => say::line(&format!(
                "missing  {name:<11} for {purpose}; it comes with: {line}"
            )),
        }
    }
    match stack::record::Record::read(&place) {
        Ok(record) => say::line(&format!(
            "running  process {}, gateway on http://{}",
            record.pid, record.gateway
        )),
        Err(error) => say::line(&error.to_string()),
    }
    Ok(if complete {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn get(name: &str, place: &Place) -> Result<ExitCode, Error> {
    let known = || {
        parts::ALL
            .iter()
            .map(|part| part.name)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let part: &Part = parts::ALL
        .iter()
        .find(|part| part.name == name)
        .ok_or_else(|| Error::Other(format!("cannot fetch {name}; known: {}", known())))?;
    let found = part
        .get(place, &Reporter::new(|line| say::note(&line)))
        .await?;
    say::line(&format!(
        "{name} {} ({})",
        version(&found.path.to_string_lossy(), part.version_args).await,
        found.way
    ));
    Ok(ExitCode::SUCCESS)
}

/// Who cannot do without it.
fn purpose(part: &Part) -> String {
    if part.required() {
        "for everything".to_owned()
    } else {
        format!("for {}", part.needed_by.join(", "))
    }
}

/// The first line that it says of itself.
async fn version(program: &str, args: &[&str]) -> String {
    let asked = Command::new(program).args(args).kill_on_drop(true).output();
    match tokio::time::timeout(LIMIT, asked).await {
        Ok(Ok(output)) => String::from_utf8_lossy(&output.stdout)
            .lines()
            .next()
            .unwrap_or("says nothing of its version")
            .trim()
            .to_owned(),
        Ok(Err(error)) => format!("does not run ({error})"),
        Err(_) => "does not answer".to_owned(),
    }
}
