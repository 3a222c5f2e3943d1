//! The loop that keeps this process registered.
//!
//! Every few seconds the agent is asked for our service; when it does not know it, or knows it differently, it is
//! registered again.
//! When the agent cannot be asked, the next try comes soon: an agent that returns with a wiped disk has the service back
//! within seconds.
//! An agent that is not there at start is no reason not to serve: the loop says so once and goes on trying.
//! Once registered, earlier starts of ours at the same address are removed; never before, so that the catalogue does
//! not become empty in between.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use prometheus::IntGauge;
use rand::RngExt;
use tokio::sync::{Mutex, MutexGuard, watch};

use crate::agent::Agent;
use crate::definition::Status;
use crate::error::Error;
use crate::meta;
use crate::metrics::Metrics;
use crate::pace::Backoff;
use crate::registration::Registration;

pub(crate) struct Reconciler<P> {
    agent: Agent,
    registration: Registration,
    metrics: Metrics,
    prove: P,
    shared: Rc<Shared>,
    /// Whether the agent has ever confirmed us.
    known: bool,
    /// Whether earlier starts of ours are gone.
    clean: bool,
    failing: bool,
}

/// What the loop and its handle share.
pub(crate) struct Shared {
    registered: watch::Sender<bool>,
    gauge: IntGauge,
    stopped: Cell<bool>,
    /// Held while a round is on its way, so that nothing registers behind a deregistration.
    turn: Mutex<()>,
}

/// Between two looks, on average: an agent that was wiped without our noticing has the service back within 8 s.
const INTERVAL: Duration = Duration::from_secs(6);
/// Share of the interval by which it varies, so that the processes of a host spread out.
const JITTER: f64 = 0.25;
/// After an error the first retries come quickly, and never in a busy loop.
const RETRY_FLOOR: Duration = Duration::from_millis(100);
/// A proof that takes longer is none.
const PROOF_LIMIT: Duration = Duration::from_secs(2);

// ---

impl<P, F> Reconciler<P>
where
    P: Fn() -> F,
    F: Future<Output = bool>,
{
    pub(crate) fn new(
        agent: Agent,
        registration: Registration,
        metrics: Metrics,
        prove: P,
        shared: Rc<Shared>,
    ) -> Self {
        Self {
            agent,
            registration,
            metrics,
            prove,
            shared,
            known: false,
            clean: false,
            failing: false,
        }
    }

    pub(crate) async fn run(mut self) {
        let shared = Rc::clone(&self.shared);
        let mut backoff = Backoff::default();
        loop {
            let round = {
                let _turn = shared.turn().await;
                if shared.stopped.get() {
                    return;
                }
                self.round().await
            };
            self.announce(&round);
            let wait = match round {
                Ok(()) => {
                    backoff.reset();
                    INTERVAL.mul_f64(rand::rng().random_range(1.0 - JITTER..=1.0 + JITTER))
                }
                Err(_) => RETRY_FLOOR.max(backoff.wait(&mut rand::rng())),
            };
            tokio::time::sleep(wait).await;
        }
    }

    async fn round(&mut self) -> Result<(), Error> {
        if let Some(reason) = self.needs_registering().await? {
            self.register(reason).await?;
        }
        self.shared.set_registered(true);
        if !self.clean {
            // Tidiness: what is left of earlier starts is critical soon, and the next round tries again.
            match self.clean_up().await {
                Ok(()) => self.clean = true,
                Err(error) => {
                    tracing::debug!(%error, "registrations of earlier starts not removed yet")
                }
            }
        }
        Ok(())
    }

    async fn needs_registering(&mut self) -> Result<Option<&'static str>, Error> {
        if !self.known {
            return Ok(Some("start"));
        }
        let found = self.agent.service(&self.registration.id).await?;
        // The status belongs to the check, which is not compared.
        let wanted = self.registration.definition(Status::Passing);
        Ok(match found {
            None => Some("missing"),
            Some(found) if !wanted.matches(&found) => Some("drift"),
            Some(_) => None,
        })
    }

    async fn register(&mut self, reason: &'static str) -> Result<(), Error> {
        self.shared.set_registered(false);
        let proof = tokio::time::timeout(PROOF_LIMIT, (self.prove)()).await;
        let status = if proof.unwrap_or(false) {
            Status::Passing
        } else {
            Status::Critical
        };
        self.agent
            .register(&self.registration.definition(status))
            .await?;
        self.known = true;
        self.metrics
            .registration
            .total
            .with_label_values(&[reason])
            .inc();
        tracing::info!(
            id = self.registration.id,
            reason,
            ?status,
            "registered with consul"
        );
        Ok(())
    }

    async fn clean_up(&self) -> Result<(), Error> {
        let ours = format!("Meta.{} == \"{}\"", meta::OWNER, meta::OURS);
        let services = self.agent.services(&ours).await?;
        for stale in services
            .iter()
            .filter(|service| self.registration.supersedes(service))
        {
            self.agent.deregister(&stale.id).await?;
            tracing::info!(
                id = stale.id,
                "removed the registration of an earlier start"
            );
        }
        Ok(())
    }

    fn announce(&mut self, round: &Result<(), Error>) {
        match round {
            Ok(()) => self.failing = false,
            Err(error) => {
                self.shared.set_registered(false);
                if self.failing {
                    tracing::debug!(%error, "registration still failing");
                } else {
                    tracing::warn!(%error, "cannot keep the registration with consul, serving and trying on");
                }
                self.failing = true;
            }
        }
    }
}

impl Shared {
    pub(crate) fn new(gauge: IntGauge) -> Self {
        let registered = watch::Sender::new(false);
        Self {
            registered,
            gauge,
            stopped: Cell::new(false),
            turn: Mutex::new(()),
        }
    }

    pub(crate) fn is_registered(&self) -> bool {
        *self.registered.borrow()
    }

    pub(crate) fn set_registered(&self, registered: bool) {
        self.registered.send_replace(registered);
        self.gauge.set(i64::from(registered));
    }

    pub(crate) async fn wait_registered(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self
            .registered
            .subscribe()
            .wait_for(|registered| *registered)
            .await;
    }

    pub(crate) fn stop(&self) {
        self.stopped.set(true);
    }

    pub(crate) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }
}
