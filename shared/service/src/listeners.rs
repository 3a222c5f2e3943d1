//! Sockets are reserved early and opened late: a bound socket that does not listen yet refuses
//! callers, so nobody talks to a process that is not ready, and a taken port is told at once.

use crate::StartError;
use crate::config::Server;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};

/// Connections that wait to be accepted; the kernel caps it at its own limit.
const BACKLOG: i32 = 1024;

/// The three sockets of a process, bound and silent.
pub(crate) struct Reserved {
    pub public: Bound,
    pub ops: Bound,
    pub admin: Bound,
}

/// One socket, bound and silent.
pub(crate) struct Bound {
    socket: Socket,
    address: SocketAddr,
}

impl Reserved {
    pub(crate) fn bind(server: &Server) -> Result<Self, StartError> {
        Ok(Self {
            public: Bound::bind("server.public", server.public)?,
            ops: Bound::bind("server.ops", server.ops)?,
            admin: Bound::bind("server.admin", server.admin)?,
        })
    }
}

impl Bound {
    fn bind(key: &str, address: SocketAddr) -> Result<Self, StartError> {
        let told = |error: io::Error| StartError::new(format!("{key} = {address}: {error}"));
        Self::try_bind(address).map_err(told)
    }

    pub(crate) fn try_bind(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        let address = socket
            .local_addr()?
            .as_socket()
            .ok_or_else(|| io::Error::other("the socket has no internet address"))?;
        Ok(Self { socket, address })
    }

    /// Where it is bound; a configured port 0 is the real one here.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on callers are accepted.
    pub(crate) fn listen(self) -> io::Result<TcpListener> {
        self.socket.listen(BACKLOG)?;
        self.socket.set_nonblocking(true)?;
        Ok(self.socket.into())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::net::TcpStream;

    #[test]
    fn a_reserved_socket_refuses_until_it_listens() {
        let bound = Bound::try_bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = bound.address();
        assert_eq!(
            TcpStream::connect(address).unwrap_err().kind(),
            io::ErrorKind::ConnectionRefused
        );
        let _listener = bound.listen().unwrap();
        TcpStream::connect(address).unwrap();
    }

    #[test]
    fn a_taken_port_is_told_with_its_key() {
        let holder = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = holder.local_addr().unwrap();
        let error = Bound::bind("server.ops", taken).err().unwrap().to_string();
        assert!(
            error.starts_with(&format!("server.ops = {taken}: ")),
            "{error}"
        );
    }
}
