//! One child process: started in a group of its own, with its output in a file, and watched until it ends.
//!
//! The group keeps a Ctrl-C at the terminal away from it: children hear from the runner alone.
//! A child whose runner goes away with the runtime is killed; one whose runner is itself killed with -9 is found by the next run (`record.rs`).

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::Command;
use tokio::sync::watch;

use crate::error::Error;

/// In which Linux tells CPU time, on every architecture that we run on (`USER_HZ` is 100).
const TICK_MS: u64 = 10;

/// What to run.
#[derive(Clone, Debug)]
pub struct Program {
    pub name: String,
    pub path: PathBuf,
    pub args: Vec<OsString>,
    pub env: BTreeMap<String, String>,
    pub log: PathBuf,
}

/// A child that was started; it may have ended since.
#[derive(Clone, Debug)]
pub struct Process {
    pid: u32,
    since: Instant,
    exit: watch::Receiver<Option<String>>,
}

impl Program {
    /// Starts it; its output is appended to the log.
    pub fn spawn(&self) -> Result<Process, Error> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .map_err(Error::io(format!("opening {}", self.log.display())))?;
        let copy = log
            .try_clone()
            .map_err(Error::io("copying a log's handle"))?;
        let mut command = Command::new(&self.path);
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_setting(name)) {
            command.env_remove(name);
        }
        let mut child = command
            .args(&self.args)
            .envs(&self.env)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(copy)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(Error::io(format!(
                "starting {} ({})",
                self.name,
                self.path.display()
            )))?;
        let pid = child
            .id()
            .expect("a child that was not waited for has an id");
        let (told, exit) = watch::channel(None);
        tokio::spawn(async move {
            let end = match child.wait().await {
                Ok(status) => status.to_string(),
                Err(error) => error.to_string(),
            };
            told.send_replace(Some(end));
        });
        Ok(Process {
            pid,
            since: Instant::now(),
            exit,
        })
    }

    /// The last lines of its log.
    pub fn last_words(&self, lines: usize) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}

/// A setting in the runner's own environment was meant for something else: what a run does depends on its flags alone.
fn is_setting(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b"LICTOR_")
}

impl Process {
    pub fn pid(&self) -> u32 {
        self.pid
    }

    pub fn uptime(&self) -> Duration {
        self.since.elapsed()
    }

    /// How it ended, when it has.
    pub fn exit(&self) -> Option<String> {
        self.exit.borrow().clone()
    }

    /// To the whole group; one that has ended already is no error.
    pub fn signal(&self, signal: Signal) {
        if self.exit().is_none() {
            let group =
                Pid::from_raw(i32::try_from(self.pid).expect("process ids are positive i32"));
            // The only failure possible is that it has ended between the two lines.
            let _ = killpg(group, signal);
        }
    }

    /// Waits for the end, at most `limit`; whether it came.
    pub async fn ended(&self, limit: Duration) -> bool {
        let mut exit = self.exit.clone();
        tokio::time::timeout(limit, exit.wait_for(Option::is_some))
            .await
            .is_ok()
    }

    /// What it has had of the processors, all its threads together, in user mode and for system calls (Linux).
    pub fn cpu_time(&self) -> Option<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        // The name in parentheses may hold spaces; the fields after it are counted from 3.
        let after = stat.rsplit_once(')')?.1;
        let ticks = after.split_whitespace().skip(14 - 3).take(2);
        let ticks: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();
        Some(Duration::from_millis(ticks * TICK_MS))
    }

    /// Resident memory in KiB, where the system tells (Linux).
    pub fn resident_kib(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix("kB")?.trim().parse().ok()
    }
}
