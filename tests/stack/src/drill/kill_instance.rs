//! F1: one of three instances is killed with -9, again and again; each comes back before the next goes.
//!
//! Every service in turn, in both zones. Requests that may be sent again must not notice; an order without a key may fail, but never happen twice.
//! How soon the gateway stops asking it is `kill_instance/ejection.rs`.

mod ejection;

use std::time::Duration;

use self::ejection::{Ejected, ejected, soon};
use super::audit::audited;
use super::findings::Findings;
use super::ground::{Ground, RATE, pass};
use super::ledger::Ledger;
use super::terms::Terms;
use crate::error::Error;
use crate::load::{Buyers, Journey, ORDER_PLAIN, Slice};

/// Beside each hundred looks at the shop.
const ORDERS: usize = 3;

/// Services that the gateway itself calls in the journey.
const SERVICES: [&str; 4] = ["inventory", "users", "orders", "recommendations"];
const PLACES: [&str; 3] = ["a1", "a2", "b1"];

/// Load without a fault, to begin and between rounds, in seconds.
const QUIET: (u32, u32) = (3, 2);

/// In short terms: the busiest service has instances that are asked often enough to hold the time of their ejection.
const RATE_OFTEN: f64 = 200.0;

/// Whoever is killed in the middle of an order leaves it to the others.
const SETTLED_WITHIN: Duration = Duration::from_secs(45);

pub async fn run(terms: &Terms) -> Result<Findings, Error> {
    let (rounds, rate) = (terms.rounds(20, 4), terms.rate(RATE, RATE_OFTEN));
    let quiet = Duration::from_secs(terms.seconds(QUIET.0, QUIET.1));
    let mut findings = Findings::of("kill-instance");
    let ground = Ground::start("kill-instance", terms).await?;
    let client = ground.load_client();
    let journey = Journey::shop(&client).await?;
    let journey = journey.with_orders(&client, ORDERS, ORDERS).await?;
    let buyers = journey.buyers();

    let load = ground.load(rate, journey);
    let mut ejections = Vec::new();
    for round in 0..rounds as usize {
        pass(quiet).await;
        let service = SERVICES[round % SERVICES.len()];
        let name = format!("{service}-{}", PLACES[round % PLACES.len()]);
        let victim = ground.instance(&name)?;
        let id = ground.id(victim).await?;
        ground.mark(&load, format!("{name} killed ({} of {rounds})", round + 1));
        let killed = load.elapsed();
        ground.kill(&name).await?;
        let dead = load.elapsed();
        let out = ejected(&ground, victim, &load, killed).await?;
        ejections.extend(out.map(|out| Ejected {
            id,
            service,
            killed,
            dead,
            out,
        }));
        ground.restart(&name).await?;
        ground.mark(&load, format!("{name} is back"));
    }
    pass(quiet).await;
    let report = load.end().await;

    let all = report.all();
    let again = all.only(|one| one.idempotent);
    let errors = again.errors().count();
    findings.promise(
        "errors on idempotent requests",
        "0",
        errors,
        again.count(),
        errors == 0,
    );
    let plain = all.route(ORDER_PLAIN);
    findings.tell(
        "errors on orders without a key",
        plain.errors().count(),
        plain.count(),
    );
    let ledger = audited(&mut findings, &ground, SETTLED_WITHIN).await?;
    placed(&mut findings, &all, buyers, &ledger);
    soon(&mut findings, terms, &all, &ejections);
    findings.tell("kills", rounds, rounds as usize);
    let p99 = format!("{:.1} ms", all.quantiles().p99);
    findings.tell("p99 of all requests", p99, all.count());
    findings.saw(report);
    ground.stop(&mut findings).await;
    Ok(findings)
}

/// Each order was placed once when it was answered, and never twice.
pub fn placed(findings: &mut Findings, all: &Slice<'_>, buyers: Buyers, ledger: &Ledger) {
    let orders = all.only(|one| one.route.starts_with(ORDER_PLAIN));
    let count = |number: u32| ledger.of(&buyers.id(number)).len();
    let twice = orders.only(|one| count(one.number) > 1).count();
    findings.promise(
        "orders placed twice",
        "0",
        twice,
        orders.count(),
        twice == 0,
    );
    let answered = orders.only(|one| one.error.is_none());
    let lost = answered.only(|one| count(one.number) == 0).count();
    findings.promise(
        "orders answered and not in the database",
        "0",
        lost,
        answered.count(),
        lost == 0,
    );
}
