//! F1: one of three instances is killed with -9, again and again; each comes back before the next goes.
//!
//! Every service in turn, in both zones. Requests that may be sent again must not notice; an order without a key may fail, but never happen twice.
//! How soon an instance was ejected is measured from the first request that began after its death and needed a second attempt: a request that was under way then was reset, which ejects nobody.
//! It is counted from that request's intended start, so it is an upper bound; instances that the gateway never asked (another zone, only called by services) have none.

use std::time::Duration;

use tokio::time::Instant;

use super::audit::audited;
use super::findings::Findings;
use super::ground::{Ground, RATE, pass};
use super::ledger::Ledger;
use super::metrics;
use super::terms::Terms;
use crate::error::Error;
use crate::instance::Instance;
use crate::load::{Buyers, Journey, Load, ORDER_PLAIN, Outcome, Slice};

/// Beside each hundred looks at the shop.
const ORDERS: usize = 3;

/// Services that the gateway itself calls in the journey.
const SERVICES: [&str; 4] = ["inventory", "users", "orders", "recommendations"];
const PLACES: [&str; 3] = ["a1", "a2", "b1"];

/// Load without a fault, to begin and between rounds, in seconds.
const QUIET: (u32, u32) = (3, 2);

/// Short terms hold the time of an ejection where a victim was asked this often, in requests a second: a request that the dying instance still reset is then followed by a refused one well within the promise.
const OFTEN: f64 = 30.0;
/// How often it was asked is counted over this time before its death.
const BEFORE: Duration = Duration::from_secs(2);
/// The short terms' rate, at which the busiest service has such instances.
const RATE_OFTEN: f64 = 200.0;
/// What is promised.
const EJECTED_WITHIN: Duration = Duration::from_millis(100);

/// Requests of the journey meet every local instance far sooner.
const WATCHED: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(10);

/// Whoever is killed in the middle of an order leaves it to the others.
const SETTLED_WITHIN: Duration = Duration::from_secs(45);

/// An ejection, in times of the load.
struct Ejected {
    /// Consul's id of the victim.
    id: String,
    killed: Duration,
    /// When it was seen to be dead; it died between the two.
    dead: Duration,
    out: Duration,
}

pub async fn run(terms: &Terms) -> Result<Findings, Error> {
    let (rounds, rate) = (terms.rounds(20, 4), terms.rate(RATE, RATE_OFTEN));
    let quiet = Duration::from_secs(terms.seconds(QUIET.0, QUIET.1));
    let mut findings = Findings::of("kill-instance");
    let ground = Ground::start("kill-instance", terms).await?;
    let client = ground.load_client();
    let journey = Journey::shop(&client)
        .await?
        .with_orders(&client, ORDERS, ORDERS)
        .await?;
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
    findings.tell(
        "p99 of all requests",
        format!("{:.1} ms", all.quantiles().p99),
        all.count(),
    );
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

/// When the gateway ejected it, if it did soon.
async fn ejected(
    ground: &Ground,
    victim: &Instance,
    load: &Load,
    killed: Duration,
) -> Result<Option<Duration>, Error> {
    let address = victim.addresses.public.to_string();
    let end = Instant::now() + WATCHED;
    while Instant::now() < end {
        // The view's "ago" ends somewhere between these two; the earlier one adds no wait of ours to the time of the ejection.
        let asked = load.elapsed();
        let view = metrics::view(ground.gateway(), "/upstreams").await?;
        let told = load.elapsed();
        let found = view["upstreams"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|upstream| upstream["endpoints"].as_array().into_iter().flatten())
            .find(|endpoint| endpoint["address"] == address.as_str());
        let Some(endpoint) = found else {
            return Ok(None);
        };
        let ago = endpoint["last_transition"]["ago_ms"].as_u64();
        if endpoint["ejection"] == "open"
            && let Some(ago) = ago.map(Duration::from_millis)
            && told.saturating_sub(ago) >= killed
        {
            return Ok(Some(asked.saturating_sub(ago).max(killed)));
        }
        pass(LOOK).await;
    }
    Ok(None)
}

/// From the first request that met the dead instance until it was out.
fn soon(findings: &mut Findings, terms: &Terms, all: &Slice<'_>, ejections: &[Ejected]) {
    let lag = |one: &Ejected| {
        let met = |from: Duration| {
            let met =
                |request: &Outcome| request.attempts > 1 && (from..=one.out).contains(&request.at);
            all.only(met).iter().map(|request| request.at).min()
        };
        // One that began while it died may have ejected it as well.
        let first = met(one.dead).or_else(|| met(one.killed))?;
        Some(one.out - first)
    };
    let often = |one: &&Ejected| {
        let before = all.during(one.dead.saturating_sub(BEFORE)..one.dead);
        let its = before.only(|request| request.instance.as_deref() == Some(one.id.as_str()));
        !terms.short || its.count() as f64 >= OFTEN * BEFORE.as_secs_f64()
    };
    let lags: Vec<Duration> = ejections.iter().filter(often).filter_map(lag).collect();
    let most = lags.iter().max().copied().unwrap_or_default();
    findings.timed_promise(
        "ejected after the first refused connection",
        "<= 100 ms",
        format!("at most {:.0} ms", most.as_secs_f64() * 1e3),
        lags.len(),
        most <= EJECTED_WITHIN,
    );
    let after = ejections.iter().map(|one| one.out - one.killed).max();
    findings.tell(
        "ejected after the kill",
        format!(
            "at most {:.0} ms",
            after.unwrap_or_default().as_secs_f64() * 1e3
        ),
        ejections.len(),
    );
}
