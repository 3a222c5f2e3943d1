//! Identical reads at the same time share one upstream call, where the route says so.
//!
//! The first to ask leads and calls upstream; who asks the same meanwhile waits for the leader's answer.
//! A leader that leaves (its client went away) lets the next one lead; one that fails, or whose answer belongs to it alone, sends the others on their own way, so that nobody fails for another's sake.
//! Nobody waits longer than half of their own time: what is left is enough to ask for themselves.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::{sync::watch, time::timeout_at};

use crate::{
    kept::{Kept, key::Key},
    metrics::Coalesced,
};

/// The calls that others may wait for, of all workers.
pub struct Flights {
    flying: Mutex<HashMap<Key, watch::Receiver<Flying>>>,
    counted: Coalesced,
}

/// A leader's obligation. Dropped without a word, it passes to the next.
pub struct Flight<'f> {
    flights: &'f Flights,
    key: Key,
    tell: watch::Sender<Flying>,
}

/// What a reader is to do.
pub enum Joined<'f> {
    /// Call upstream and tell the others.
    Lead(Flight<'f>),
    /// Somebody's call has brought the answer.
    Shared(Arc<Kept>),
    /// Call upstream for yourself.
    Alone,
}

#[derive(Clone)]
enum Flying {
    Yet,
    Landed(Arc<Kept>),
    /// There is no answer that others may have.
    Lost,
}

impl Flights {
    /// Nobody is under way.
    pub fn new(counted: Coalesced) -> Self {
        Self {
            flying: Mutex::default(),
            counted,
        }
    }

    /// Leads, or waits for who does, until `patience` is over.
    pub async fn join(&self, key: &Key, patience: Instant) -> Joined<'_> {
        loop {
            let mut leader = match self.lead_or_watch(key) {
                Ok(flight) => {
                    self.counted.led.inc();
                    return Joined::Lead(flight);
                }
                Err(leader) => leader,
            };
            let over = leader.wait_for(|flying| !matches!(flying, Flying::Yet));
            let landed = timeout_at(patience.into(), over).await;
            match landed.map(|told| told.map(|flying| flying.clone())) {
                Ok(Ok(Flying::Landed(kept))) => {
                    self.counted.shared.inc();
                    return Joined::Shared(kept);
                }
                // The leader left without a word: whoever comes first leads now.
                Ok(Err(_)) => {}
                Ok(Ok(Flying::Lost | Flying::Yet)) | Err(_) => {
                    self.counted.alone.inc();
                    return Joined::Alone;
                }
            }
        }
    }

    fn lead_or_watch(&self, key: &Key) -> Result<Flight<'_>, watch::Receiver<Flying>> {
        let mut flying = self.lock();
        if let Some(leader) = flying.get(key) {
            return Err(leader.clone());
        }
        let (tell, watch) = watch::channel(Flying::Yet);
        flying.insert(key.clone(), watch);
        Ok(Flight {
            flights: self,
            key: key.clone(),
            tell,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, watch::Receiver<Flying>>> {
        self.flying.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight<'_> {
    /// Gives the answer to all who wait, or tells them that there is none for them.
    pub fn land(self, answer: Option<Arc<Kept>>) {
        let told = answer.map_or(Flying::Lost, Flying::Landed);
        // Who comes from now on starts anew: nobody is given an answer older than their question.
        self.flights.lock().remove(&self.key);
        self.tell.send_replace(told);
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut flying = self.flights.lock();
        // After `land` the place may be another leader's already.
        let own = |leader: &watch::Receiver<Flying>| leader.same_channel(&self.tell.subscribe());
        if flying.get(&self.key).is_some_and(own) {
            flying.remove(&self.key);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::{future::Future, pin::pin, time::Duration};

    use actix_web::HttpResponse;
    use futures_util::poll;

    use super::*;
    use crate::metrics::Metrics;

    fn flights() -> Flights {
        let metrics = Metrics::register(&prometheus::Registry::new()).unwrap();
        Flights::new(metrics.coalesced())
    }

    fn answer() -> Arc<Kept> {
        Arc::new(Kept::new(&HttpResponse::Ok().finish(), "x".into()))
    }

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    async fn lead<'f>(joining: impl Future<Output = Joined<'f>>) -> Flight<'f> {
        match joining.await {
            Joined::Lead(flight) => flight,
            _ => panic!("somebody else leads"),
        }
    }

    #[actix_web::test]
    async fn those_who_wait_get_the_leaders_answer_and_who_comes_after_leads() {
        let (flights, key) = (flights(), Key::test("a"));
        let flight = lead(flights.join(&key, later())).await;
        let mut waiting = pin!(flights.join(&key, later()));
        assert!(poll!(&mut waiting).is_pending());
        let other = lead(flights.join(&Key::test("b"), later())).await;
        flight.land(Some(answer()));
        assert!(matches!(waiting.await, Joined::Shared(kept) if kept == answer()));
        drop(lead(flights.join(&key, later())).await);
        drop(other);
        assert!(flights.lock().is_empty());
    }

    #[actix_web::test]
    async fn when_a_leader_leaves_exactly_one_of_the_others_leads() {
        let (flights, key) = (flights(), Key::test("a"));
        let flight = lead(flights.join(&key, later())).await;
        let mut first = Box::pin(flights.join(&key, later()));
        let mut second = Box::pin(flights.join(&key, later()));
        assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
        drop(flight);
        let flight = lead(first).await;
        assert!(poll!(&mut second).is_pending());
        flight.land(Some(answer()));
        assert!(matches!(second.await, Joined::Shared(_)));
    }

    #[actix_web::test]
    async fn a_leaders_failure_is_its_own() {
        let (flights, key) = (flights(), Key::test("a"));
        let flight = lead(flights.join(&key, later())).await;
        let mut waiting = pin!(flights.join(&key, later()));
        assert!(poll!(&mut waiting).is_pending());
        flight.land(None);
        assert!(matches!(waiting.await, Joined::Alone));
        assert_eq!(flights.counted.alone.get(), 1);
    }

    #[actix_web::test]
    async fn nobody_waits_for_ever() {
        let (flights, key) = (flights(), Key::test("a"));
        let _flight = lead(flights.join(&key, later())).await;
        assert!(matches!(
            flights.join(&key, Instant::now()).await,
            Joined::Alone
        ));
    }
}
