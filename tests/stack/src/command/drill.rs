//! `cargo stack drill NAME`: breaks a system of its own under load and prints what was promised beside what was measured.

use std::process::ExitCode;
use std::time::Instant;

use stack::drill::{DRILLS, Drill, Terms};
use stack::{Error, Reporter};

use super::signal::Signals;
use crate::cli;
use crate::say;

pub async fn run(flags: cli::Drill) -> Result<ExitCode, Error> {
    let chosen = match flags.name.as_str() {
        "list" => {
            say::line(&list());
            return Ok(ExitCode::SUCCESS);
        }
        "all" => DRILLS.to_vec(),
        name => vec![Drill::named(name)?],
    };
    let terms = terms(&flags);
    let mut signals = Signals::listen()?;
    let mut broken = Vec::new();
    for drill in chosen {
        say::note(&format!("{}: {}", drill.name, drill.promise));
        let begin = Instant::now();
        let findings = tokio::select! {
            findings = drill.run(&terms) => findings?,
            // Dropping the drill kills what it had started.
            () = signals.next() => return Err(Error::Other("interrupted; nothing is left running".into())),
        };
        if flags.json {
            say::line(&serde_json::to_string_pretty(&findings).expect("findings are plain data"));
        } else {
            say::line(findings.to_string().trim_end());
        }
        say::note(&format!("after {:.0} s", begin.elapsed().as_secs_f64()));
        if !findings.held() {
            broken.push(drill.name);
        }
    }
    if broken.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    say::error(&format!("broken: {}", broken.join(", ")));
    Ok(ExitCode::FAILURE)
}

fn terms(flags: &cli::Drill) -> Terms {
    let terms = if flags.short {
        Terms::short()
    } else {
        Terms::full()
    };
    Terms {
        rounds: flags.rounds,
        seconds: flags.seconds,
        rate: flags.rate,
        count: flags.count,
        build: terms.build && !flags.no_build,
        reporter: Reporter::new(|line| say::note(&line)),
        ..terms
    }
}

fn list() -> String {
    let width = DRILLS
        .iter()
        .map(|drill| drill.name.len())
        .max()
        .unwrap_or(0)
        + 2;
    let lines = DRILLS
        .iter()
        .map(|drill| format!("{:width$}{}", drill.name, drill.promise));
    lines.collect::<Vec<_>>().join("\n")
}
