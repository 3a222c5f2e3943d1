//! A wire that breaks: connections pass through it until a die says that one is cut off, before the
//! request has arrived or after it was answered and nobody heard.

use actix_web::rt;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A wire to one address.
#[derive(Clone)]
pub struct Flaky {
    pub address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    target: SocketAddr,
    die: StdRng,
    /// One request in so many is cut off.
    one_in: u32,
    cut: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Passes,
    NeverArrives,
    NeverAnswered,
}

impl Flaky {
    pub async fn before(target: SocketAddr, one_in: u32, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let inner = Inner {
            target,
            die: StdRng::seed_from_u64(seed),
            one_in,
            cut: 0,
        };
        let flaky = Self {
            address: listener.local_addr().unwrap(),
            inner: Arc::new(Mutex::new(inner)),
        };
        let wire = flaky.clone();
        rt::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                rt::spawn(wire.clone().carry(client));
            }
        });
        flaky
    }

    /// Whoever connects from now on is led there.
    pub fn leads_to(&self, target: SocketAddr) {
        self.inner.lock().unwrap().target = target;
    }

    /// Requests cut off so far.
    pub fn cut(&self) -> usize {
        self.inner.lock().unwrap().cut
    }

    fn fate(&self) -> Fate {
        let mut inner = self.inner.lock().unwrap();
        let one_in = inner.one_in;
        let fate = match inner.die.random_range(0..2 * one_in) {
            0 => Fate::NeverArrives,
            1 => Fate::NeverAnswered,
            _ => Fate::Passes,
        };
        inner.cut += usize::from(fate != Fate::Passes);
        fate
    }

    async fn carry(self, mut client: TcpStream) {
        let target = self.inner.lock().unwrap().target;
        let Ok(mut server) = TcpStream::connect(target).await else {
            return;
        };
        let (mut asked, mut answered) = ([0; 16_384], [0; 16_384]);
        let mut fate = Fate::Passes;
        loop {
            tokio::select! {
                read = client.read(&mut asked) => {
                    let Ok(bytes @ 1..) = read else { return };
                    fate = self.fate();
                    if fate == Fate::NeverArrives || server.write_all(&asked[..bytes]).await.is_err() {
                        return;
                    }
                }
                read = server.read(&mut answered) => {
                    let Ok(bytes @ 1..) = read else { return };
                    if fate == Fate::NeverAnswered || client.write_all(&answered[..bytes]).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}
