//! The record of a run, `run.json`: for a second shell, and for the next run when this one was killed with -9.
//!
//! One run at a time per state directory: the lock beside the record is held by the system as long as its process lives, whatever kills it.
//! It is written as soon as the first child runs; the run takes commands a little later, when its control socket is there.
//! A record without a holder is a left-over; the children it names are ended by the next `up` or `down`, each only if it is still the process that was started then.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::keys::Keys;
use crate::place::Place;

/// What a second shell must know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    pub pid: u32,
    pub gateway: SocketAddr,
    pub gateway_ops: SocketAddr,
    pub gateway_admin: SocketAddr,
    pub consul: SocketAddr,
    pub prometheus: Option<SocketAddr>,
    pub jaeger: Option<SocketAddr>,
    pub control: PathBuf,
    pub keys: Keys,
    pub children: Vec<Child>,
}

/// A process, told apart from a later one with the same id by when it was born.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    pub name: String,
    pub pid: u32,
    pub born: Option<u64>,
}

/// Held by the run; dropping it takes the record away.
#[derive(Debug)]
pub struct Lock {
    place: Place,
    _file: File,
}

impl Record {
    /// The record of the run that lives now.
    pub fn read(place: &Place) -> Result<Self, Error> {
        if !held(place)? {
            return Err(Error::NotRunning);
        }
        read(&place.run_file())
            .filter(|record| record.control.exists())
            .ok_or_else(|| Error::Other("the stack is starting or stopping; try again".into()))
    }

    /// Written whole or not at all, for its owner only: it holds the keys.
    pub fn write(&self, place: &Place) -> Result<(), Error> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let path = place.run_file();
        let temporary = path.with_added_extension("new");
        let text = serde_json::to_string_pretty(self).expect("a record is plain data");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let written = options
            .open(&temporary)
            .and_then(|mut file| file.write_all(text.as_bytes()));
        written
            .and_then(|()| std::fs::rename(&temporary, &path))
            .map_err(Error::io(format!("writing {}", path.display())))
    }
}

impl Child {
    pub fn new(name: &str, pid: u32) -> Self {
        Self {
            name: name.to_owned(),
            pid,
            born: born(pid),
        }
    }

    fn lives(&self) -> bool {
        self.born.is_some() && born(self.pid) == self.born
    }
}

impl Lock {
    /// Takes the state directory for this process, and ends what a killed run left in it; the names of those are given.
    pub fn take(place: &Place) -> Result<(Self, Vec<String>), Error> {
        std::fs::create_dir_all(place.state())
            .map_err(Error::io(format!("creating {}", place.state().display())))?;
        let file = open_lock(place)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(already(place)),
            Err(TryLockError::Error(error)) => {
                return Err(Error::io("locking the state directory")(error));
            }
        }
        let mut ended = Vec::new();
        if let Some(record) = read(&place.run_file()) {
            let living = record.children.iter().filter(|child| child.lives());
            ended.extend(living.map(end));
            // Until this run listens there it must not look as if one did.
            let _ = std::fs::remove_file(&record.control);
        }
        let _ = std::fs::remove_file(place.run_file());
        Ok((
            Self {
                place: place.clone(),
                _file: file,
            },
            ended,
        ))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.place.run_file());
        let _ = std::fs::remove_file(self.place.control_socket());
    }
}

fn end(child: &Child) -> String {
    let group = Pid::from_raw(i32::try_from(child.pid).expect("process ids are positive i32"));
    let _ = killpg(group, Signal::SIGKILL);
    child.name.clone()
}

fn already(place: &Place) -> Error {
    let who = match read(&place.run_file()) {
        Some(record) => format!("process {}, gateway on {}", record.pid, record.gateway),
        None => "starting or stopping now".to_owned(),
    };
    Error::AlreadyRunning { who }
}

/// Whether a run holds the directory.
fn held(place: &Place) -> Result<bool, Error> {
    if !place.lock_file().exists() {
        return Ok(false);
    }
    match open_lock(place)?.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => {
            Err(Error::io("looking at the state directory's lock")(error))
        }
    }
}

fn open_lock(place: &Place) -> Result<File, Error> {
    let path = place.lock_file();
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    options
        .open(&path)
        .map_err(Error::io(format!("opening {}", path.display())))
}

fn read(path: &Path) -> Option<Record> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// The clock tick at which a process began (Linux; elsewhere nothing is ended on a guess).
fn born(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold spaces; the fields after it are counted from 3.
    stat.rsplit_once(')')?
        .1
        .split_whitespace()
        .nth(22 - 3)?
        .parse()
        .ok()
}
