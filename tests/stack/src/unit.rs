//! A program with a life: running, paused, killed, ended by itself, started again.
//!
//! Instances and Consul are units.
//! A unit knows whether its end was wanted; one that ends unasked is reported once.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::error::Error;
use crate::process::{Process, Program};
use crate::reporter::Reporter;

/// A child that ignores SIGKILL for this long is stuck in the kernel; nobody can help it.
const SURELY_DEAD: Duration = Duration::from_secs(5);

/// One supervised program.
#[derive(Debug)]
pub struct Unit {
    program: Program,
    reporter: Reporter,
    slot: Mutex<Slot>,
}

#[derive(Debug, Default)]
struct Slot {
    process: Option<Process>,
    wanted: Wanted,
    starts: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Wanted {
    #[default]
    Stopped,
    Running,
    Paused,
}

/// What a unit does now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Running,
    Paused,
    /// By us: killed, or drained.
    Stopped,
    /// By itself, with how it ended.
    Ended(String),
}

impl Unit {
    pub fn new(program: Program, reporter: Reporter) -> Self {
        Self {
            program,
            reporter,
            slot: Mutex::default(),
        }
    }

    pub fn name(&self) -> &str {
        &self.program.name
    }

    pub fn program(&self) -> &Program {
        &self.program
    }

    pub fn state(&self) -> State {
        let slot = self.slot();
        match (slot.process.as_ref().map(Process::exit), slot.wanted) {
            (_, Wanted::Stopped) | (None, _) => State::Stopped,
            (Some(Some(exit)), _) => State::Ended(exit),
            (Some(None), Wanted::Running) => State::Running,
            (Some(None), Wanted::Paused) => State::Paused,
        }
    }

    /// The process, when one lives.
    pub fn process(&self) -> Option<Process> {
        self.slot()
            .process
            .clone()
            .filter(|process| process.exit().is_none())
    }

    /// How often it was started.
    pub fn starts(&self) -> u32 {
        self.slot().starts
    }

    /// Starts it; one that lives is an error.
    pub fn start(&self) -> Result<Process, Error> {
        if self.process().is_some() {
            return Err(self.wrong_state("stop it first"));
        }
        let process = self.program.spawn()?;
        let mut slot = self.slot();
        slot.process = Some(process.clone());
        slot.wanted = Wanted::Running;
        slot.starts += 1;
        Ok(process)
    }

    /// SIGKILL, and waits until it is gone.
    pub async fn kill(&self) -> Result<(), Error> {
        let process = self.living("start it with: cargo stack restart")?;
        self.slot().wanted = Wanted::Stopped;
        process.signal(Signal::SIGKILL);
        process.ended(SURELY_DEAD).await;
        Ok(())
    }

    /// SIGSTOP.
    pub fn pause(&self) -> Result<(), Error> {
        self.living("only what runs can be paused")?
            .signal(Signal::SIGSTOP);
        self.slot().wanted = Wanted::Paused;
        Ok(())
    }

    /// SIGCONT.
    pub fn resume(&self) -> Result<(), Error> {
        self.living("only what is paused can be resumed")?
            .signal(Signal::SIGCONT);
        self.slot().wanted = Wanted::Running;
        Ok(())
    }

    /// SIGTERM, waits for the drain at most `limit`, then SIGKILL; whether it went by itself.
    pub async fn stop(&self, limit: Duration) -> bool {
        let Some(process) = self.process() else {
            return true;
        };
        self.slot().wanted = Wanted::Stopped;
        process.signal(Signal::SIGTERM);
        // A paused one hears SIGTERM only when it goes on.
        process.signal(Signal::SIGCONT);
        if process.ended(limit).await {
            return true;
        }
        process.signal(Signal::SIGKILL);
        process.ended(SURELY_DEAD).await;
        false
    }

    /// SIGKILL without waiting, whatever it does.
    pub fn abandon(&self) {
        self.slot().wanted = Wanted::Stopped;
        if let Some(process) = self.process() {
            process.signal(Signal::SIGKILL);
        }
    }

    /// The error that says that it ended by itself, and its last words.
    pub fn died(&self, exit: String) -> Error {
        Error::Died {
            name: self.name().to_owned(),
            exit,
            log: self.program.log.clone(),
            tail: self.program.last_words(8),
        }
    }

    /// Reports, once, when this process ends unasked.
    pub fn watch(self: &std::sync::Arc<Self>, process: Process) {
        let unit = std::sync::Arc::downgrade(self);
        tokio::spawn(async move {
            while !process.ended(Duration::from_secs(3600)).await {}
            let Some(unit) = unit.upgrade() else { return };
            if let State::Ended(exit) = unit.state() {
                let words = unit.program.last_words(1);
                unit.reporter.say(format!(
                    "{} ended by itself ({exit}); its last word: {words}",
                    unit.name()
                ));
            }
        });
    }

    fn living(&self, hint: &str) -> Result<Process, Error> {
        self.process().ok_or_else(|| self.wrong_state(hint))
    }

    fn wrong_state(&self, hint: &str) -> Error {
        Error::WrongState {
            name: self.name().to_owned(),
            state: self.state().to_string(),
            hint: hint.to_owned(),
        }
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Running => out.write_str("running"),
            Self::Paused => out.write_str("paused"),
            Self::Stopped => out.write_str("down"),
            Self::Ended(exit) => write!(out, "ended ({exit})"),
        }
    }
}
