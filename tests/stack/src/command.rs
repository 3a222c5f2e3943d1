//! The verbs: each turns its flags into calls of the library and prints what came of it.

mod doctor;
mod down;
mod drill;
mod k6;
mod load;
mod signal;
mod test;
mod trial;
mod up;

use std::process::ExitCode;

use stack::control::{self, Answer, Command};
use stack::record::Record;
use stack::{Error, Place};

use crate::cli::{Consul, FaultVerb, Verb, Zone};
use crate::say;

pub async fn run(verb: Verb) -> Result<ExitCode, Error> {
    let command = match verb {
        Verb::Up(flags) => return up::run(flags).await,
        Verb::Load(flags) => return load::run(flags).await,
        Verb::Drill(flags) => return drill::run(flags).await,
        Verb::K6(flags) => return k6::run(flags).await,
        Verb::Test(flags) => return test::run(flags).await,
        Verb::Doctor { fetch } => return doctor::run(fetch).await,
        Verb::Status { json: true } => return status_json().await,
        Verb::Status { json: false } => Command::Status,
        Verb::Down => return down::run().await,
        Verb::Kill { instance } => Command::Kill { instance },
        Verb::Pause { instance } => Command::Pause { instance },
        Verb::Resume { instance } => Command::Resume { instance },
        Verb::Restart { instance } => Command::Restart { instance },
        Verb::Zone {
            what: Zone::Down { zone },
        } => Command::ZoneDown { zone },
        Verb::Zone {
            what: Zone::Up { zone },
        } => Command::ZoneUp { zone },
        Verb::Fault(fault) => match (&fault.what, &fault.whom) {
            (Some(FaultVerb::Clear { whom }), _) => Command::FaultClear { whom: whom.clone() },
            (None, Some(whom)) => Command::Fault {
                whom: whom.clone(),
                fault: fault.to_json(),
            },
            (Some(FaultVerb::List), _) | (None, None) => Command::FaultList,
        },
        Verb::Consul { what: Consul::Kill } => Command::Kill {
            instance: stack::consul::NAME.to_owned(),
        },
        Verb::Consul {
            what: Consul::Pause,
        } => Command::Pause {
            instance: stack::consul::NAME.to_owned(),
        },
        Verb::Consul {
            what: Consul::Resume,
        } => Command::Resume {
            instance: stack::consul::NAME.to_owned(),
        },
        Verb::Consul {
            what: Consul::Start { wipe },
        } => Command::ConsulStart { wipe },
        Verb::Trace { id: Some(id) } => Command::Trace { id },
        Verb::Trace { id: None } => Command::Traces { count: 20 },
    };
    let record = running()?;
    match control::ask(&record, &command).await? {
        Answer::Status { table } => {
            say::line(&table.to_string());
            say::line(&format!(
                "keys {}  {}  admin token {}",
                record.keys.demo, record.keys.load, record.keys.admin_token
            ));
        }
        Answer::Said { text } | Answer::Failed { why: text } => say::line(text.trim_end()),
    }
    Ok(ExitCode::SUCCESS)
}

/// The run of `cargo stack up`.
fn running() -> Result<Record, Error> {
    Record::read(&Place::find()?)
}

async fn status_json() -> Result<ExitCode, Error> {
    if let Answer::Status { table } = control::ask(&running()?, &Command::Status).await? {
        say::line(&serde_json::to_string_pretty(&table).expect("a table is plain data"));
    }
    Ok(ExitCode::SUCCESS)
}
