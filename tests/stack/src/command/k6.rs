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
use stack::record::Record;
use stack::{Error, Place, Reporter, parts};
use tokio::process::{Child, Command};

use super::running;
use super::signal::Signals;
use crate::cli;
use crate::say;

/// Where Prometheus is, when the run does not say.
const PROMETHEUS: &str = "PROMETHEUS_URL";

/// What k6 reads from the environment itself, and for which it discards a script's scenarios.
const DISCARDING: [&str; 4] = ["K6_VUS", "K6_DURATION", "K6_ITERATIONS", "K6_STAGES"];

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
    let mut command = Command::new(&k6.path);
    command
        .arg("run")
        .args(&flags.extra)
        .arg(place.root().join(format!("k6/{}.js", flags.name)))
        .envs(environment(&record, &flags, &testid, &runner))
        .env("K6_WEB_DASHBOARD_EXPORT", &report)
        .stdin(Stdio::null());
    if !std::io::stdout().is_terminal() {
        // Its progress is a page every second where no line can move.
        command.arg("--quiet");
    }
    for name in DISCARDING {
        command.env_remove(name);
    }
    if let Some(url) = &prometheus {
        command
            .env(PROMETHEUS, url)
            .env("K6_OUT", "experimental-prometheus-rw")
            .env("K6_PROMETHEUS_RW_SERVER_URL", format!("{url}/api/v1/write"));
    }
    command.env("FACTS", if flags.no_facts { "off" } else { "on" });
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

/// The names are those of `k6/lib/settings.js`.
fn environment(
    record: &Record,
    flags: &cli::K6,
    testid: &str,
    runner: &str,
) -> Vec<(&'static str, String)> {
    let mut environment = vec![
        ("BASE_URL", format!("http://{}", record.gateway)),
        ("CONSUL_URL", format!("http://{}", record.consul)),
        ("API_KEY", record.keys.load.clone()),
        ("LIMITED_KEY", record.keys.demo.clone()),
        ("RUNNER_URL", runner.to_owned()),
        ("TESTID", testid.to_owned()),
        // Nothing is fetched and nothing is told to anybody.
        ("K6_AUTO_EXTENSION_RESOLUTION", "false".to_owned()),
        ("K6_NO_USAGE_REPORT", "true".to_owned()),
        ("K6_WEB_DASHBOARD", "true".to_owned()),
        // The report alone; nobody looks at it while it runs.
        ("K6_WEB_DASHBOARD_PORT", "-1".to_owned()),
        ("K6_WEB_DASHBOARD_PERIOD", "2s".to_owned()),
        ("K6_PROMETHEUS_RW_PUSH_INTERVAL", "5s".to_owned()),
        // One series for each trend, of which every quantile can be asked.
        ("K6_FEATURES", "native-histograms".to_owned()),
    ];
    let wishes = [
        ("RATE", flags.rate.map(|rate| rate.to_string())),
        ("SCALE", flags.scale.map(|scale| scale.to_string())),
    ];
    environment.extend(
        wishes
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    environment
}

fn now(name: &str) -> String {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    format!("{name}-{}", since.as_secs())
}
