//! Drills: a fault under open-model load on a system of its own, and whether the promise held.
//!
//! Each drill is one file below `drill/` and one entry of `DRILLS`: it brings up three instances of each service over two zones, breaks something, and holds what it measured against what was promised.
//! A drill is bounded in time and count, asks only the addresses that it started itself, and takes everything down again; a run of `cargo stack up` beside it is not touched.
//! `cargo stack drill NAME` and the end-to-end tests run the same code, the tests with the short terms.
//! Short terms see a broken promise on a busy machine without being broken by it: `again.rs` says how.

// What all drills stand on.
mod again;
mod audit;
mod findings;
mod ground;
mod ledger;
mod metrics;
mod resetter;
mod terms;
mod typical;

// One fault each.
mod cascade;
mod collector;
mod freeze_instance;
mod idempotency;
mod kill_instance;
mod overload;
mod rate_limit;
mod retry_budget;
mod slow_service;
mod tracing_cost;

use std::future::Future;
use std::pin::Pin;

use crate::error::Error;
use again::while_late;

pub use findings::{Finding, Findings, Verdict};
pub use terms::Terms;

type Run<'a> = Pin<Box<dyn Future<Output = Result<Findings, Error>> + Send + 'a>>;

/// A fault and its promise.
#[derive(Clone, Copy)]
pub struct Drill {
    pub name: &'static str,
    /// The promise, in a line.
    pub promise: &'static str,
    run: fn(&Terms) -> Run<'_>,
}

/// Every drill, in the order in which a person would try them.
pub const DRILLS: &[Drill] = &[
    Drill {
        name: "kill-instance",
        promise: "one of three killed, again and again: no error on idempotent requests, no order placed twice",
        run: |terms| Box::pin(while_late(terms, move || kill_instance::run(terms))),
    },
    Drill {
        name: "freeze-instance",
        promise: "one of three frozen: at most 0.1 % errors, all in the first 2 s; traffic back within 10 s of the thaw",
        run: |terms| Box::pin(while_late(terms, move || freeze_instance::run(terms))),
    },
    Drill {
        name: "rate-limit",
        promise: "100 a second and a burst of 20 are exactly that, over all workers and over two gateways",
        run: |terms| Box::pin(while_late(terms, move || rate_limit::run(terms))),
    },
    Drill {
        name: "idempotency",
        promise: "orders with a key over a wire that resets connections: each key makes one order",
        run: |terms| Box::pin(while_late(terms, move || idempotency::run(terms))),
    },
    Drill {
        name: "overload",
        promise: "three times what the gateway can take: 90 % of its best is still done, the rest is refused at once",
        run: |terms| Box::pin(while_late(terms, move || overload::run(terms))),
    },
    Drill {
        name: "slow-service",
        promise: "one service slow, then failing: the breaker opens soon, fails fast, and the other services do not notice",
        run: |terms| Box::pin(while_late(terms, move || slow_service::run(terms))),
    },
    Drill {
        name: "retry-budget",
        promise: "half of the calls fail: retries help, and never multiply the load",
        run: |terms| Box::pin(while_late(terms, move || retry_budget::run(terms))),
    },
    Drill {
        name: "cascade",
        promise: "inventory's database slow, then inventory failing, hanging, dead: orders are taken in 200 ms, settled afterwards, and nothing else notices",
        run: |terms| Box::pin(cascade::run(terms)),
    },
    Drill {
        name: "collector",
        promise: "the collector of traces down, then hung, every request traced: nobody notices, and what is lost is counted",
        run: |terms| Box::pin(while_late(terms, move || collector::run(terms))),
    },
    Drill {
        name: "tracing-cost",
        promise: "nothing is promised: the gateway's CPU time for a request with tracing off, at 1 %, at 100 %",
        run: |terms| Box::pin(tracing_cost::run(terms)),
    },
];

impl Drill {
    pub fn named(name: &str) -> Result<Self, Error> {
        let known = || DRILLS.iter().map(|drill| drill.name).collect::<Vec<_>>();
        DRILLS
            .iter()
            .find(|drill| drill.name == name)
            .copied()
            .ok_or_else(|| {
                Error::Other(format!(
                    "there is no drill {name}; known: {}",
                    known().join(", ")
                ))
            })
    }

    pub async fn run(&self, terms: &Terms) -> Result<Findings, Error> {
        (self.run)(terms).await
    }
}

impl std::fmt::Debug for Drill {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.name)
    }
}
