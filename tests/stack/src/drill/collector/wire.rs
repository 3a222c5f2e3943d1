//! The way to the collector: a TCP proxy that can be down, as when the collector is dead, and hung, as when it is frozen.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::error::Error;
use crate::ports;

/// Read at a time; a batch of spans is a few of these.
const CHUNK: usize = 64 * 1024;

/// The proxy; dropping it is its end.
#[derive(Debug)]
pub struct Wire {
    pub address: SocketAddr,
    target: SocketAddr,
    hung: watch::Sender<bool>,
    /// One task, or none while it is cut; it holds the listener and the connections.
    accepting: JoinSet<()>,
}

impl Wire {
    /// Passes on to `target`.
    pub async fn start(target: SocketAddr) -> Result<Self, Error> {
        let mut wire = Self {
            address: ports::any(),
            target,
            hung: watch::Sender::new(false),
            accepting: JoinSet::new(),
        };
        wire.mend().await?;
        Ok(wire)
    }

    /// Connections are cut, and refused from now on.
    pub async fn cut(&mut self) {
        self.accepting.shutdown().await;
    }

    /// Connections are accepted, and nothing is passed on: what was sent waits.
    pub fn hang(&self) {
        self.hung.send_replace(true);
    }

    /// Passes on again, whatever it was; what waited, too.
    pub async fn mend(&mut self) -> Result<(), Error> {
        self.hung.send_replace(false);
        if self.accepting.is_empty() {
            let doing = || format!("listening for traces on {}", self.address);
            let listener = TcpListener::bind(self.address).await;
            let listener = listener.map_err(Error::io(doing()))?;
            let hung = self.hung.subscribe();
            self.accepting.spawn(accept(listener, self.target, hung));
        }
        Ok(())
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, hung: watch::Receiver<bool>) {
    let mut open = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while open.try_join_next().is_some() {}
        open.spawn(pass(client, target, hung.clone()));
    }
}

async fn pass(
    mut client: TcpStream,
    target: SocketAddr,
    mut hung: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let mut server = TcpStream::connect(target).await?;
    let (mut up, mut down) = (vec![0; CHUNK], vec![0; CHUNK]);
    loop {
        let (read, to) = tokio::select! {
            read = client.read(&mut up) => (&up[..read?], &mut server),
            read = server.read(&mut down) => (&down[..read?], &mut client),
        };
        let ended = read.is_empty();
        // The sender lives as long as the task that holds this one.
        let _ = hung.wait_for(|hung| !*hung).await;
        if ended {
            return Ok(());
        }
        to.write_all(read).await?;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    /// Whatever comes back of a byte, soon.
    async fn echoed(stream: &mut TcpStream, soon: Duration) -> bool {
        let mut back = [0];
        let read = timeout(soon, stream.read_exact(&mut back)).await;
        read.is_ok_and(|read| read.is_ok())
    }

    #[tokio::test]
    async fn it_passes_on_holds_back_and_refuses_as_it_is_told() {
        let echo = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = echo.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = echo.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    tokio::io::copy(&mut read, &mut write).await
                });
            }
        });
        let (at_once, in_time) = (Duration::from_millis(50), Duration::from_secs(5));
        let mut wire = Wire::start(target).await.unwrap();
        let mut stream = TcpStream::connect(wire.address).await.unwrap();
        stream.write_all(&[1]).await.unwrap();
        assert!(echoed(&mut stream, in_time).await, "well");

        wire.hang();
        stream.write_all(&[2]).await.unwrap();
        assert!(!echoed(&mut stream, at_once).await, "hung");
        let mut second = TcpStream::connect(wire.address).await.unwrap();
        second.write_all(&[3]).await.unwrap();
        assert!(!echoed(&mut second, at_once).await, "hung, too");
        wire.mend().await.unwrap();
        assert!(echoed(&mut stream, in_time).await && echoed(&mut second, in_time).await);

        wire.cut().await;
        stream.write_all(&[4]).await.ok();
        assert!(!echoed(&mut stream, in_time).await, "cut");
        assert!(TcpStream::connect(wire.address).await.is_err(), "refused");
        wire.mend().await.unwrap();
        assert!(TcpStream::connect(wire.address).await.is_ok());
    }
}
