//! `cargo stack k6 NAME`: a scenario of `k6/` against the run of `cargo stack up`, with that run's addresses and keys.
//!
//! Scenario, promises and verdict are k6's: its exit code is ours.
//! What a script cannot do, ending and starting processes, it asks of the bridge (`bridge.rs`).

mod bridge;

use std::io::IsTerminal as _;
use std::process::{ExitCode, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use stack::k6::Scenario;
use stack::record::Record;
use stack::{Error, Place, Reporter, parts};
use tokio::process::Child;

use super::running;
use super::signal::Signals;
use crate::cli;
use crate::say;

/// Where Prometheus is, when the run does not say.
const PROMETHEUS: &str = "PROMETHEUS_URL";

pub async fn run(flags: cli::K6) -> Result<ExitCode, Error> {
    let place = Place::find()?;
    let known = scenarios(&place)?;
    if flags.name == "list" {
        say::line(&known.join("\n"));
        return Ok(ExitCode::SUCCESS);
    }
    if !known.contains(&flags.name) {
        return Err(Error::Other(format!(
            "there is no scenario {}; known: {}",
            flags.name,
            known.join(", ")
        )));
    }
    let record = running()?;
    let prometheus = prometheus(&record, flags.no_facts)?;
    let k6 = parts::K6
        .get(&place, &Reporter::new(|line| say::note(&line)))
        .await?;
    let reports = place.state().join("k6");
    std::fs::create_dir_all(&reports)
        .map_err(Error::io(format!("creating {}", reports.display())))?;
    let report = reports.join(format!("{}.html", flags.name));
    // One of an earlier run would be taken for this one's where k6 writes none.
    let _ = std::fs::remove_file(&report);
    let testid = flags.testid.clone().unwrap_or_else(|| now(&flags.name));
    let runner = bridge::start(record.clone()).await?;
    let mut signals = Signals::listen()?;

    say::note(&format!(
        "{} as {testid}, k6 {}, against http://{}",
        flags.name, k6.way, record.gateway
    ));
    let scenario = Scenario {
        name: flags.name,
        testid,
        prometheus,
        facts: !flags.no_facts,
        rate: flags.rate,
        scale: flags.scale,
    };
    let mut command = scenario.command(&k6.path, &place, &record);
    command
        .args(&flags.extra)
        .env("RUNNER_URL", &runner)
        .env("K6_WEB_DASHBOARD", "true")
        // The report alone; nobody looks at it while it runs.
        .env("K6_WEB_DASHBOARD_PORT", "-1")
        .env("K6_WEB_DASHBOARD_PERIOD", "2s")
        .env("K6_WEB_DASHBOARD_EXPORT", &report)
        .stdin(Stdio::null());
    if !std::io::stdout().is_terminal() {
        // Its progress is a page every second where no line can move.
        command.arg("--quiet");
    }
    if flags.no_facts {
        say::note("no server-side fact is asserted (--no-facts)");
    }
    // In a group of its own, so that Ctrl-C reaches it once, through us.
    command.process_group(0).kill_on_drop(true);
    let mut child = command.spawn().map_err(Error::io("starting k6"))?;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status.map_err(Error::io("waiting for k6"))?,
            () = signals.next() => interrupt(&child),
        }
    };
    if report.is_file() {
        say::note(&format!("report: {}", report.display()));
    }
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Told once it ends what it began and heals what it broke; told again it ends at once.
fn interrupt(k6: &Child) {
    if let Some(pid) = k6.id().and_then(|pid| i32::try_from(pid).ok()) {
        say::note("ending k6; it heals what it broke (again to end at once)");
        let _ = kill(Pid::from_raw(pid), Signal::SIGINT);
    }
}

/// The scripts of `k6/`; what they share is in `lib/`.
fn scenarios(place: &Place) -> Result<Vec<String>, Error> {
    let folder = place.root().join("k6");
    let entries = std::fs::read_dir(&folder)
        .map_err(Error::io(format!("looking into {}", folder.display())))?;
    let mut names: Vec<String> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "js"))
        .filter_map(|path| path.file_stem()?.to_str().map(str::to_owned))
        .collect();
    names.sort();
    Ok(names)
}

/// Where the run is measured and facts are asked; none only when no facts are wanted.
fn prometheus(record: &Record, no_facts: bool) -> Result<Option<String>, Error> {
    let own = record.prometheus.map(|address| format!("http://{address}"));
    let named = std::env::var(PROMETHEUS).ok().filter(|url| !url.is_empty());
    match named.or(own) {
        Some(url) => Ok(Some(url)),
        _ if no_facts => Ok(None),
        _ => Err(Error::Other(format!(
            "the server-side facts need Prometheus: cargo stack up --with prometheus (or {PROMETHEUS}=http://...); --no-facts leaves them out"
        ))),
    }
}

fn now(name: &str) -> String {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    format!("{name}-{}", since.as_secs())
}
