//! `cargo stack load`: the shop's journey at a constant rate against the run of `cargo stack up`.

use std::process::ExitCode;
use std::time::Duration;

use stack::{Client, Error, Journey, Load, Plan};

use super::running;
use super::signal::Signals;
use crate::cli;
use crate::say;

/// How often the count is told.
const TELL_EVERY: Duration = Duration::from_secs(10);

pub async fn run(flags: cli::Load) -> Result<ExitCode, Error> {
    let cli::Profile::Shop = flags.profile;
    let record = running()?;
    let client = Client::new(record.gateway).with_key(&record.keys.load);
    let journey = Journey::shop(&client).await?;
    let plan = Plan {
        rate: flags.rate,
        duration: Duration::from_secs_f64(flags.seconds),
    };
    let mut signals = Signals::listen()?;

    say::note(&format!(
        "{} requests a second for {} s against http://{}",
        plan.rate, flags.seconds, record.gateway
    ));
    let load = Load::start(plan, client, journey);
    while load.elapsed() < plan.duration {
        let left = plan.duration.saturating_sub(load.elapsed()).min(TELL_EVERY);
        tokio::select! {
            () = tokio::time::sleep(left) => {}
            () = signals.next() => return Err(Error::Other("interrupted; nothing was counted".into())),
        }
        let (requests, errors) = load.so_far();
        say::note(&format!(
            "{:>4.0} s  {requests} requests, {errors} errors",
            load.elapsed().as_secs_f64()
        ));
    }
    let report = load.finish().await;
    if flags.json {
        say::line(&serde_json::to_string_pretty(&report).expect("a report is plain data"));
    } else {
        say::line(report.to_string().trim_end());
    }
    Ok(if report.errors == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
