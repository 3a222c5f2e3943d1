//! Which ports a run uses: the well-known ones when they are free, others when they are taken.
//!
//! Other ports come from below the range that the system hands out for outgoing connections: an instance that is killed must find its port free when it is started again.
//! Two runs side by side never meet, also on the port of somebody who is dead for a while: each process has blocks of its own, by locks that end with it.
//! A port is never given twice by one process.
//! Nothing listens meanwhile: a listener that is kept until its user starts would be inherited, for a moment, by every child that is started.

use std::collections::BTreeSet;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Below Linux' (32768) and the IANA's (49152) first ephemeral port, above what people's own programs usually take.
const ALL: Range<u16> = 20_000..30_000;

/// A run takes about forty.
const BLOCK: u16 = 100;

static GIVEN: Mutex<Given> = Mutex::new(Given {
    ports: BTreeSet::new(),
    blocks: Vec::new(),
    well_known: Vec::new(),
});

struct Given {
    ports: BTreeSet<u16>,
    blocks: Vec<Claim>,
    well_known: Vec<Claim>,
}

/// Of a block, or of one well-known port, by its first port; until this process ends.
struct Claim {
    first: u16,
    _lock: File,
}

/// `port` when it is free, else any.
pub fn preferred(port: u16) -> SocketAddr {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(claim) = Claim::of(port) {
        given.well_known.push(claim);
        if given.take(port) {
            return local(port);
        }
    }
    drop(given);
    any()
}

/// A free port on the loopback address.
///
/// # Panics
/// When every block is somebody's: a hundred runs, or a temporary folder that cannot be written.
pub fn any() -> SocketAddr {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let own = given.blocks.iter();
        let own: Vec<u16> = own
            .flat_map(|block| block.first..block.first + BLOCK)
            .collect();
        if let Some(port) = own.into_iter().find(|port| given.take(*port)) {
            return local(port);
        }
        let block = ALL.step_by(BLOCK.into()).find_map(Claim::of);
        let block = block.unwrap_or_else(|| panic!("no block of ports can be had: {}", lock(0)));
        given.blocks.push(block);
    }
}

impl Given {
    fn take(&mut self, port: u16) -> bool {
        !self.ports.contains(&port)
            && TcpListener::bind(local(port)).is_ok()
            && self.ports.insert(port)
    }
}

impl Claim {
    /// None when somebody has it, this process too.
    fn of(first: u16) -> Option<Self> {
        let path = lock(first);
        // Another user's file may be opened and not created again.
        let lock = File::open(&path).or_else(|_| File::create(&path)).ok()?;
        lock.try_lock().ok()?;
        Some(Self { first, _lock: lock })
    }
}

/// Empty, and left where it is: who took it away could take it from under somebody's lock.
fn lock(first: u16) -> String {
    let path = std::env::temp_dir().join(format!("lictor-ports-{first}.lock"));
    path.to_string_lossy().into_owned()
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_replaced() {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = held.local_addr().unwrap().port();
        assert_ne!(preferred(port).port(), port);
    }

    #[test]
    fn no_port_is_given_twice() {
        let first = any();
        assert_ne!(preferred(first.port()), first);
        assert_ne!(any(), first);
    }

    #[test]
    fn a_block_is_had_once_and_its_ports_stay_in_it() {
        let port = any().port();
        let first = port - port % BLOCK;
        assert!(Claim::of(first).is_none(), "a lock that another run meets");
    }
}
