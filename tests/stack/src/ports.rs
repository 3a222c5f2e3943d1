//! Which ports a run uses: the well-known ones when they are free, others when they are taken.
//!
//! Other ports come from below the range that the system hands out for outgoing connections: an instance that is killed must find its port free when it is started again.
//! A port is never given twice by one process, and each process begins in another place of the range, so that runs started side by side do not meet.
//! Nothing is held: a listener that is kept until its user starts would be inherited, for a moment, by every child that is started meanwhile.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Mutex, PoisonError};

/// Below Linux' (32768) and the IANA's (49152) first ephemeral port, above what people's own programs usually take.
const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;

/// Ports between the beginnings of two processes whose ids follow each other; a run takes about forty.
const APART: u32 = 100;

static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// `port` when it is free, else any.
pub fn preferred(port: u16) -> SocketAddr {
    if take(port) { local(port) } else { any() }
}

/// A free port on the loopback address.
pub fn any() -> SocketAddr {
    let blocks = u32::from(COUNT) / APART;
    let begin = u16::try_from(std::process::id() % blocks * APART).expect("below COUNT");
    let mut candidates = (0..COUNT).map(|step| FIRST + (begin + step) % COUNT);
    let port = candidates
        .find(|port| take(*port))
        .expect("one of ten thousand ports is free");
    local(port)
}

fn take(port: u16) -> bool {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    !given.contains(&port) && TcpListener::bind(local(port)).is_ok() && given.insert(port)
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
    }
}
