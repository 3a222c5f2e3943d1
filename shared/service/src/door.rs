//! A listener that can be closed for a while and opened again at the same address.
//!
//! Closed means that nobody listens: connections are gone, new ones are refused. The address stays
//! reserved by a socket that is bound and silent, so that nobody else takes it meanwhile.

use crate::listeners::Bound;
use actix_web::dev::{Server, ServerHandle};
use actix_web::rt;
use std::cell::RefCell;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;
use tokio::time::sleep;

/// The kernel may need a moment to let go of a socket that was just closed.
const LET_GO: Duration = Duration::from_millis(10);
/// Tries before the address is left unreserved; opening tries again.
const TRIES: u32 = 100;

/// Builds the server that answers on a listener.
type Serve = Box<dyn Fn(TcpListener) -> io::Result<Server>>;

/// One listener. Stays on the main thread.
pub(crate) struct Door {
    address: SocketAddr,
    serve: Serve,
    state: RefCell<State>,
}

enum State {
    Open(ServerHandle),
    /// The socket that keeps the address, if it was to be had.
    Closed(Option<Bound>),
    /// For good: the process ends.
    Stopped,
}

impl Door {
    /// Opens it for the first time.
    pub(crate) fn open(
        bound: Bound,
        serve: impl Fn(TcpListener) -> io::Result<Server> + 'static,
    ) -> io::Result<Self> {
        let door = Self {
            address: bound.address(),
            serve: Box::new(serve),
            state: RefCell::new(State::Closed(Some(bound))),
        };
        door.reopen()?;
        Ok(door)
    }

    /// Breaks every connection and listens no more, until [`Door::reopen`].
    pub(crate) async fn close(&self) {
        let handle = match &*self.state.borrow() {
            State::Open(handle) => handle.clone(),
            State::Closed(_) | State::Stopped => return,
        };
        self.state.replace(State::Closed(None));
        handle.stop(false).await;
        let bound = self.reserve().await;
        if let State::Closed(empty) = &mut *self.state.borrow_mut() {
            *empty = bound;
        }
    }

    /// Listens again. Does nothing to a door that is open, or stopped.
    pub(crate) fn reopen(&self) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        let State::Closed(bound) = &mut *state else {
            return Ok(());
        };
        let bound = match bound.take() {
            Some(bound) => bound,
            None => Bound::try_bind(self.address)?,
        };
        let server = (self.serve)(bound.listen()?)?;
        *state = State::Open(server.handle());
        rt::spawn(server);
        Ok(())
    }

    /// Stops for good; `graceful`: what runs is finished first.
    pub(crate) async fn stop(&self, graceful: bool) {
        if let State::Open(handle) = self.state.replace(State::Stopped) {
            handle.stop(graceful).await;
        }
    }

    async fn reserve(&self) -> Option<Bound> {
        for _ in 0..TRIES {
            match Bound::try_bind(self.address) {
                Ok(bound) => return Some(bound),
                Err(_) => sleep(LET_GO).await,
            }
        }
        None
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use actix_web::{App, HttpResponse, HttpServer, web};
    use std::net::TcpStream;

    fn serve(listener: TcpListener) -> io::Result<Server> {
        let app = || App::new().route("/", web::get().to(HttpResponse::Ok));
        Ok(HttpServer::new(app)
            .workers(1)
            .disable_signals()
            .listen(listener)?
            .run())
    }

    async fn connects(address: SocketAddr) -> bool {
        web::block(move || TcpStream::connect(address).is_ok())
            .await
            .unwrap()
    }

    #[actix_web::test]
    async fn a_closed_door_refuses_and_opens_at_the_same_address() {
        let bound = Bound::try_bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = bound.address();
        let door = Door::open(bound, serve).unwrap();
        for _ in 0..3 {
            assert!(connects(address).await);
            door.close().await;
            assert!(!connects(address).await);
            door.reopen().unwrap();
        }
        assert!(connects(address).await);
    }

    #[actix_web::test]
    async fn a_stopped_door_stays_closed() {
        let bound = Bound::try_bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = bound.address();
        let door = Door::open(bound, serve).unwrap();
        door.close().await;
        door.stop(true).await;
        door.reopen().unwrap();
        assert!(!connects(address).await);
    }
}
