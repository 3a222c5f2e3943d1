//! What the application tells the guard: that a head was read, that an answer has ended, that a client wants to be invited.

use super::watch::Watch;
use actix_http::{ConnectionType, Request, Response};
use actix_service::Service;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use std::future::{Future, pending};
use std::num::NonZeroU32;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

/// From a whole head to the end of its answer; dropping it is that end.
struct Exchange(Option<Rc<Watch>>);

/// An answer's body, and the exchange that ends with it.
pub(super) struct Carrying<B> {
    body: B,
    _exchange: Exchange,
}

/// Lets the application answer under the eyes of the guard; request number `most` is its connection's last.
///
/// Nothing behind a last request reaches the application: the server below reads ahead, and would serve it.
pub(super) fn watched<S, B>(
    application: &S,
    request: Request,
    most: Option<NonZeroU32>,
) -> impl Future<Output = Result<Response<Carrying<B>>, S::Error>> + use<S, B>
where
    S: Service<Request>,
    S::Response: Into<Response<B>>,
{
    let exchange = Exchange(request.conn_data::<Rc<Watch>>().cloned());
    let number = exchange.head_read();
    if request.head().connection_type() == ConnectionType::Close {
        exchange.last();
    }
    let answer = number.map(|_| application.call(request));
    async move {
        let Some(answer) = answer else {
            // The guard ends the connection as soon as the last answer is written.
            return pending().await;
        };
        let mut response = answer.await?.into();
        if most.is_some_and(|most| number >= Some(most.get())) {
            response
                .head_mut()
                .set_connection_type(ConnectionType::Close);
        }
        if response.head().connection_type() == ConnectionType::Close {
            exchange.last();
        }
        Ok(response.map_body(|_, body| Carrying {
            body,
            _exchange: exchange,
        }))
    }
}

/// A request whose client wants to be invited before it sends a body.
///
/// A stranger is invited when its body is wanted ([`Watch::invite`]): after whatever may refuse it.
/// Behind an answer that is not written yet the invitation could not be told from that answer's bytes, so there it is refused; no client has a reason to do that.
pub(super) fn expecting(request: Request, stranger: bool) -> Result<Request, Response<BoxBody>> {
    if let Some(watch) = request.conn_data::<Rc<Watch>>().filter(|_| stranger) {
        if !watch.is_unasked() {
            let mut refused = Response::new(StatusCode::EXPECTATION_FAILED);
            refused
                .head_mut()
                .set_connection_type(ConnectionType::Close);
            return Err(refused);
        }
        watch.withhold_invitation();
    }
    Ok(request)
}

impl Exchange {
    /// Which request of its connection this is; requests of no connection are those of tests.
    fn head_read(&self) -> Option<u32> {
        self.0.as_ref().map_or(Some(0), |watch| watch.head_read())
    }

    fn last(&self) {
        if let Some(watch) = &self.0 {
            watch.last();
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(watch) = &self.0 {
            watch.answered(Instant::now());
        }
    }
}

impl<B: MessageBody + Unpin> MessageBody for Carrying<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}
