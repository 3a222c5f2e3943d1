//! From the command line to an exit code.

use crate::cli::{self, Command};
use crate::config::{self, Loaded};
use crate::context::Context;
use crate::lifecycle;
use crate::listeners::Reserved;
use crate::ops;
use crate::spec::{App, Spec, StartError};
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::future::Future;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// Wrong use of the command line (`EX_USAGE`), as for bad configuration.
const USAGE: u8 = 64;

/// Runs a process to its end. Everything that can go wrong before it serves is one line on stderr.
pub fn run<S, B, F>(spec: Spec<S, B>) -> ExitCode
where
    S: DeserializeOwned,
    B: FnOnce(S, Context) -> F,
    F: Future<Output = Result<App, StartError>>,
{
    let variables: HashMap<String, String> = environment();
    let file = variables.get("LICTOR_CONFIG").cloned();
    let outcome = match cli::parse(spec.name, spec.version, arguments(), file) {
        Ok(Command::Say(text)) => return said(&text),
        Ok(Command::Probe(file)) => {
            read(&spec, file.as_deref(), &variables).and_then(|loaded| probe(&loaded))
        }
        Ok(Command::Run(file)) => {
            read(&spec, file.as_deref(), &variables).and_then(|loaded| live(spec, loaded))
        }
        Err(error) => return complained(&error, USAGE),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complained(&error.to_string(), error.code()),
    }
}

/// The environment as text. What is no Unicode cannot be a setting of ours.
fn environment() -> HashMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

fn arguments() -> impl Iterator<Item = String> {
    let lossy = |word: std::ffi::OsString| word.to_string_lossy().into_owned();
    std::env::args_os().skip(1).map(lossy)
}

fn read<S: DeserializeOwned, B>(
    spec: &Spec<S, B>,
    file: Option<&Path>,
    variables: &HashMap<String, String>,
) -> Result<Loaded<S>, StartError> {
    let loaded = config::load::<S>(spec.defaults, file, variables)?;
    (spec.check)(&loaded.own, &loaded.common)?;
    Ok(loaded)
}

fn live<S, B, F>(spec: Spec<S, B>, loaded: Loaded<S>) -> Result<(), StartError>
where
    B: FnOnce(S, Context) -> F,
    F: Future<Output = Result<App, StartError>>,
{
    let reserved = Reserved::bind(&loaded.common.server)?;
    let system = actix_web::rt::System::new();
    let stopped = system.block_on(lifecycle::live(spec, loaded, reserved))?;
    stopped.flush();
    Ok(())
}

fn probe<S>(loaded: &Loaded<S>) -> Result<(), StartError> {
    let address = loaded.common.server.ops;
    match ops::ask(address) {
        Ok(true) => Ok(()),
        Ok(false) => Err(StartError::not_ready(format!("{address} is not ready"))),
        Err(error) => Err(StartError::not_ready(format!(
            "{address} does not answer: {error}"
        ))),
    }
}

fn said(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn complained(line: &str, code: u8) -> ExitCode {
    // Nobody is left to tell when stderr itself is gone; the exit code still speaks.
    let _ = writeln!(std::io::stderr(), "{line}");
    ExitCode::from(code)
}
