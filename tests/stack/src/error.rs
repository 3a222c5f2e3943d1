//! What can go wrong while the system is brought up, poked or asked.
//!
//! Each message is read by a person at a terminal: it says what was being done, what was seen, and where there is one, the line that helps.
//! There are no codes here; callers that must tell cases apart match on the variant.

use std::path::PathBuf;
use std::time::Duration;

/// Everything the runner fails with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("nothing is running; start it with: cargo stack up")]
    NotRunning,
    #[error(
        "a stack is running already ({who}); see it with: cargo stack status, end it with: cargo stack down"
    )]
    AlreadyRunning { who: String },
    #[error("there is no instance {name}; known: {known}")]
    UnknownInstance { name: String, known: String },
    #[error("there is no zone {name}; known: {known}")]
    UnknownZone { name: String, known: String },
    #[error("{name} is {state}; {hint}")]
    WrongState {
        name: String,
        state: String,
        hint: String,
    },
    #[error("{name} ended while starting ({exit}); {log} ends with:\n{tail}")]
    Died {
        name: String,
        exit: String,
        log: PathBuf,
        tail: String,
    },
    #[error("waited {waited:.0?} for {what}; last seen: {seen}")]
    Waited {
        what: String,
        waited: Duration,
        seen: String,
    },
    #[error("{name} is not on this machine: {why}")]
    Missing { name: String, why: String },
    #[error("{command} failed ({exit}){tail}")]
    Command {
        command: String,
        exit: String,
        tail: String,
    },
    #[error("{doing}: {source}")]
    Io {
        doing: String,
        source: std::io::Error,
    },
    #[error("no trace {id} has arrived; the newest are listed by: cargo stack trace")]
    NoTrace { id: String },
    #[error("{0}")]
    Other(String),
}

impl Error {
    /// For `map_err`: an input or output error, with what was being done.
    pub fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}
