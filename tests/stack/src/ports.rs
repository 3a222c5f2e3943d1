//! Which ports a run uses: the well-known ones when they are free, others when they are taken.
//!
//! Other ports come from below the range that the system hands out for outgoing connections: an instance that is killed must find its port free when it is started again.
//! Ports given once by this process are not given again, so that runs started side by side do not meet.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Below Linux' (32768) and the IANA's (49152) first ephemeral port, above what people's own programs usually take.
const RANGE: Range<u16> = 20_000..30_000;

static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// `port` when it is free, else any.
pub fn preferred(port: u16) -> SocketAddr {
    if take(port) { local(port) } else { any() }
}

/// A free port on the loopback address.
pub fn any() -> SocketAddr {
    loop {
        let port = rand::random_range(RANGE);
        if take(port) {
            return local(port);
        }
    }
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
