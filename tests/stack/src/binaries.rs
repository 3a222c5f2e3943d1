//! Building what is run: the gateway and the services, optimised, by cargo.
//!
//! The list of services is here and nowhere else in the runner.

use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::Command;

use crate::error::Error;
use crate::place::Place;
use crate::reporter::Reporter;

/// In the order in which they are shown.
pub const SERVICES: &[&str] = &[
    "users",
    "orders",
    "inventory",
    "payments",
    "recommendations",
];

pub const GATEWAY: &str = "gateway";

/// Set where the binaries were built a moment ago (`cargo stack test` does, for the tests it runs).
pub const NO_BUILD: &str = "STACK_NO_BUILD";

/// Below this a build had nothing to do, and nothing is said about it.
const WORTH_TELLING: Duration = Duration::from_secs(2);

/// Builds whatever is not up to date, with the profile `native`.
/// Cargo's own progress is shown when `show` is set, else its words are kept for the error.
pub async fn build(place: &Place, show: bool, reporter: &Reporter) -> Result<(), Error> {
    let begin = Instant::now();
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--profile", "native"]);
    for package in SERVICES.iter().chain([&GATEWAY]) {
        command.args(["--package", package]);
    }
    command
        .current_dir(place.root())
        .env("CARGO_TARGET_DIR", place.target())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    if show {
        command.stderr(Stdio::inherit());
    } else {
        command.arg("--quiet");
    }
    let output = command
        .output()
        .await
        .map_err(Error::io("starting cargo"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let tail = if said.is_empty() {
            String::new()
        } else {
            format!(":\n{}", said.trim_end())
        };
        return Err(Error::Command {
            command: "cargo build --profile native".into(),
            exit: output.status.to_string(),
            tail,
        });
    }
    if begin.elapsed() > WORTH_TELLING {
        reporter.say(format!("built in {:.0} s", begin.elapsed().as_secs_f64()));
    }
    Ok(())
}

/// Each binary must be there before anything is started.
pub fn check(place: &Place) -> Result<(), Error> {
    let missing: Vec<&str> = SERVICES
        .iter()
        .chain([&GATEWAY])
        .copied()
        .filter(|name| !place.binary(name).is_file())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let folder = place.binary("");
    Err(Error::Other(format!(
        "not built in {}: {}; build with: cargo stack up (without --no-build)",
        folder.display(),
        missing.join(", ")
    )))
}
