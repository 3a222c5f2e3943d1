//! Building a part from Go modules: the small module in `tests/stack/tools/` pins it and everything below it.
//!
//! The first build of Consul takes minutes on a small machine, so the time that went by is told while it runs.

use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::Command;

use super::find::on_path;
use super::{Found, GoBuild, Part};
use crate::place::Place;
use crate::reporter::Reporter;

/// How often the time is told.
const TELL_EVERY: Duration = Duration::from_secs(30);

/// A build that takes longer than this hangs on its network.
const WHOLE: Duration = Duration::from_secs(45 * 60);

/// Builds into the cache; an error is a sentence for the list of what was tried.
pub async fn build(
    part: &Part,
    build: &GoBuild,
    place: &Place,
    reporter: &Reporter,
) -> Result<Found, String> {
    if on_path("go").is_none() {
        return Err("it cannot be built without Go".to_owned());
    }
    let folder = place.root().join("tests/stack/tools").join(build.module);
    let temporary = part.unfinished().map_err(|error| error.to_string())?;
    let path = part.cached().map_err(|error| error.to_string())?;

    reporter.say(format!(
        "building {} {} from Go modules (once on this machine; several minutes)",
        part.name, part.version
    ));
    let begin = Instant::now();
    let child = Command::new("go")
        .args(["build", "-trimpath", "-ldflags", &linking(part, build)])
        .args(["-tags", build.tags, "-o"])
        .arg(&temporary)
        .arg(build.package)
        .current_dir(&folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("go does not start ({error})"))?;

    let done = child.wait_with_output();
    tokio::pin!(done);
    let output = loop {
        match tokio::time::timeout(TELL_EVERY, &mut done).await {
            Ok(output) => break output.map_err(|error| error.to_string())?,
            Err(_) if begin.elapsed() > WHOLE => {
                return Err(format!(
                    "go build took more than {} minutes",
                    WHOLE.as_secs() / 60
                ));
            }
            Err(_) => reporter.say(format!(
                "still building {} ({} s)",
                part.name,
                begin.elapsed().as_secs()
            )),
        }
    };
    if !output.status.success() {
        let _ = std::fs::remove_file(&temporary);
        let said = String::from_utf8_lossy(&output.stderr);
        let last: Vec<&str> = said.lines().rev().take(3).collect();
        return Err(format!(
            "go build failed ({})",
            last.into_iter().rev().collect::<Vec<_>>().join(" | ")
        ));
    }
    std::fs::rename(&temporary, &path).map_err(|error| error.to_string())?;
    Ok(Found {
        way: format!(
            "built with Go in {} s to {}",
            begin.elapsed().as_secs(),
            path.display()
        ),
        path,
    })
}

/// Without symbols, with the version.
fn linking(part: &Part, build: &GoBuild) -> String {
    let version = build
        .version_in
        .map(|variable| format!(" -X {variable}={}", part.version));
    format!("-s -w{}", version.unwrap_or_default())
}
