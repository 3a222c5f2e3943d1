//! A bad wire: a TCP proxy that resets each connection at a random byte, in a request's head, in an answer's middle, or between the two.
//!
//! The cut is a real one (RST, what was on its way is gone), so neither side knows what became of the last request.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::error::Error;

/// Read at a time; below it a cut falls within what was read.
const CHUNK: usize = 4096;

/// The proxy; dropping it closes its listener and cuts what is open.
#[derive(Debug)]
pub struct Resetter {
    pub address: SocketAddr,
    resets: Arc<AtomicU32>,
    accepting: JoinHandle<()>,
}

impl Resetter {
    /// Passes on to `target`; a connection lives for 0 to `most` bytes, both directions together.
    pub async fn start(target: SocketAddr, most: usize) -> Result<Self, Error> {
        let listening = Error::io("listening for connections that will be reset");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let (listener, address) = listener
            .and_then(|listener| listener.local_addr().map(|address| (listener, address)))
            .map_err(listening)?;
        let resets = Arc::<AtomicU32>::default();
        let counted = resets.clone();
        let accepting = tokio::spawn(async move {
            // Held here, so that aborting this task cuts them all.
            let mut open = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                while open.try_join_next().is_some() {}
                let (counted, budget) = (counted.clone(), rand::random_range(0..=most));
                open.spawn(async move {
                    if matches!(pass(client, target, budget).await, Ok(End::Cut)) {
                        counted.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        Ok(Self {
            address,
            resets,
            accepting,
        })
    }

    /// Connections that were cut so far.
    pub fn resets(&self) -> usize {
        self.resets.load(Ordering::Relaxed) as usize
    }
}

impl Drop for Resetter {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

enum End {
    /// One side closed.
    Closed,
    Cut,
}

async fn pass(
    mut client: TcpStream,
    target: SocketAddr,
    mut budget: usize,
) -> std::io::Result<End> {
    let mut server = TcpStream::connect(target).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut up, mut down) = ([0; CHUNK], [0; CHUNK]);
    loop {
        let (read, to) = tokio::select! {
            read = client.read(&mut up) => (&up[..read?], &mut server),
            read = server.read(&mut down) => (&down[..read?], &mut client),
        };
        if read.is_empty() {
            return Ok(End::Closed);
        }
        let fits = read.len().min(budget);
        to.write_all(&read[..fits]).await?;
        budget -= fits;
        if fits < read.len() {
            client.set_zero_linger()?;
            server.set_zero_linger()?;
            return Ok(End::Cut);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_is_cut_within_its_bytes_and_counted() {
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
        let wire = Resetter::start(target, 1000).await.unwrap();
        let mut stream = TcpStream::connect(wire.address).await.unwrap();
        let mut back = 0;
        let mut buffer = [0; 100];
        while stream.write_all(&[7; 100]).await.is_ok() {
            match stream.read(&mut buffer).await {
                Ok(read) if read > 0 => back += read,
                _ => break,
            }
        }
        assert!(
            back <= 500,
            "each byte counts on its way up and down: {back}"
        );
        crate::wait::until("the cut", std::time::Duration::from_secs(5), || async {
            if wire.resets() == 1 {
                Ok(())
            } else {
                Err("not counted".to_owned())
            }
        })
        .await
        .unwrap();
    }
}
