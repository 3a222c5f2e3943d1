//! `cargo stack down`: ends the run of another shell, or what a killed one left behind.

use std::process::ExitCode;
use std::time::Duration;

use stack::control::{self, Command};
use stack::record::Lock;
use stack::{Error, Place, wait};

use super::running;
use crate::say;

/// Four ends, one after the other, of 10 s each and 5 s for a kill: gateways, services, Consul, what watched them.
const LONGEST: Duration = Duration::from_secs(60);

/// Asks for the end and waits for it.
pub async fn run() -> Result<ExitCode, Error> {
    let record = match running() {
        Err(Error::NotRunning) => return left_over(),
        record => record?,
    };
    control::ask(&record, &Command::Down).await?;
    wait::until("the run to end", LONGEST, || async {
        match running() {
            Err(Error::NotRunning) => Ok(()),
            _ => Err("still draining".to_owned()),
        }
    })
    .await?;
    say::line("down");
    Ok(ExitCode::SUCCESS)
}

/// No run lives; what a killed one left behind ends here.
fn left_over() -> Result<ExitCode, Error> {
    let place = Place::find()?;
    if !place.run_file().exists() {
        return Err(Error::NotRunning);
    }
    let (_lock, ended) = Lock::take(&place)?;
    if ended.is_empty() {
        return Err(Error::NotRunning);
    }
    say::line(&format!(
        "ended what an earlier run had left behind: {}",
        ended.join(", ")
    ));
    Ok(ExitCode::SUCCESS)
}
