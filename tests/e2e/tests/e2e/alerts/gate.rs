//! A way to somebody that can be closed while both ends are well: the network between them.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// It ends when it is dropped.
pub struct Gate {
    address: SocketAddr,
    open: watch::Sender<bool>,
}

impl Gate {
    /// Listens, and passes on to whoever `target` names at that moment.
    pub async fn open(target: impl Fn() -> Option<SocketAddr> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gate = Self {
            address: listener.local_addr().unwrap(),
            open: watch::Sender::new(true),
        };
        let open = gate.open.subscribe();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Without a sender there is no gate any more.
                if open.has_changed().is_err() {
                    return;
                }
                if let Some(target) = target().filter(|_| *open.borrow()) {
                    tokio::spawn(pass(stream, target, open.clone()));
                }
            }
        });
        gate
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Breaks what passes, and every new connection.
    pub fn close(&self) {
        self.open.send_replace(false);
    }

    pub fn reopen(&self) {
        self.open.send_replace(true);
    }
}

async fn pass(mut near: TcpStream, target: SocketAddr, mut open: watch::Receiver<bool>) {
    let Ok(mut far) = TcpStream::connect(target).await else {
        return;
    };
    tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => {}
        _ = open.wait_for(|open| !open) => {}
    }
}
