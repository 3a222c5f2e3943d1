//! F10: inventory's database becomes slow, then inventory fails, hangs, and is dead; orders need it for every order.
//!
//! With the protection that is shipped: orders are accepted from the last known stock and settled afterwards, reads get the last good answer, and routes that do not need inventory do not notice.
//! Then the same slow database without it (breakers disabled, no fallbacks, deadlines of a minute), for the figure that the protection is measured against.
//! At the end the books are held against each other: orders, reservations, payments.

use std::time::Duration;

use serde_json::{Value, json};

use super::again::while_late;
use super::audit::audited;
use super::findings::Findings;
use super::ground::{Ground, RATE, SHORT_RATE, pass};
use super::ledger::Ledger;
use super::terms::Terms;
use crate::builder::Builder;
use crate::error::Error;
use crate::load::{Journey, Load, ORDER_PLAIN, ORDER_WITH_KEY, Outcome, Report, Slice};
use crate::wait;

const NAME: &str = "cascade";
const VICTIM: &str = "inventory";
/// Routes that inventory serves.
const ITS_ROUTES: [&str; 2] = ["browse", "stock"];

/// Beside each hundred looks at the shop, with a key and as many without.
const ORDERS: usize = 4;
/// In short terms: enough in three seconds that their p99 is not the one that met a busy moment of the machine.
const SHORT_ORDERS: usize = 20;

/// What a statement takes while the database is slow.
const SLOW_MS: u32 = 2000;

const ORDERS_WITHIN_MS: f64 = 200.0;
const ELSEWHERE_WITHIN_MS: f64 = 20.0;
const RECOVERS_WITHIN: Duration = Duration::from_secs(10);
/// Not a promise: how long it is looked for.
const LOOKED_FOR: Duration = Duration::from_secs(60);

/// Connections are made and last good answers are there.
const SETTLING: Duration = Duration::from_secs(5);
const SHORT_SETTLING: Duration = Duration::from_secs(3);

/// Without protection: as long as people have seen such systems wait.
const PATIENCE: Duration = Duration::from_secs(60);
const UNPROTECTED_RATE: f64 = 50.0;

/// What one fault did to one load.
struct Stretch {
    report: Report,
    begin: Duration,
    end: Duration,
    recovered: Option<Duration>,
}

pub async fn run(terms: &Terms) -> Result<Findings, Error> {
    let mut findings = Findings::of(NAME);
    let lasts = Duration::from_secs(terms.seconds(10, 3));
    for (what, fault) in faults(lasts) {
        findings.join(while_late(terms, || protected(terms, what, &fault, lasts)).await?);
    }
    unprotected(&mut findings, terms).await?;
    Ok(findings)
}

/// One fault on a fresh system: a breaker that opened often waits longer each time.
async fn protected(
    terms: &Terms,
    what: &str,
    fault: &Value,
    lasts: Duration,
) -> Result<Findings, Error> {
    let mut findings = Findings::of(NAME);
    let rate = terms.rate(RATE, SHORT_RATE);
    let ground = Ground::start(NAME, terms).await?;
    let orders = terms.either(ORDERS, SHORT_ORDERS);
    let load = ground.load(rate, journey(&ground, orders).await?);
    pass(terms.either(SETTLING, SHORT_SETTLING)).await;
    let one = struck(&ground, load, what, fault, lasts).await?;

    let all = one.report.all();
    let (quiet, during) = (
        all.during(Duration::ZERO..one.begin),
        all.during(one.begin..one.end),
    );
    let orders = during.only(is_order);
    let held = terms.quantiles(&orders);
    findings.timed_promise(
        format!("{what}: orders answered, p99"),
        "<= 200 ms",
        format!(
            "{:.0} ms (at the client {:.0} ms, quiet {:.0} ms)",
            held.p99,
            orders.quantiles().p99,
            quiet.only(is_order).quantiles().p99
        ),
        held.count,
        held.p99 <= ORDERS_WITHIN_MS,
    );
    let failed = orders.errors().count();
    findings.promise(
        format!("{what}: orders refused or failed"),
        "0",
        failed,
        orders.count(),
        failed == 0,
    );
    elsewhere(&mut findings, what, &during, terms.short);
    let reads = during.only(its);
    findings.tell(
        format!("{what}: inventory's own reads answered, p99"),
        format!(
            "{:.2} %, {:.0} ms",
            100.0 * reads.share(|read| read.error.is_none()),
            reads.quantiles().p99
        ),
        reads.count(),
    );
    findings.arrival(
        format!("{what}: recovered, all orders settled"),
        "<= 10 s",
        one.recovered.map_or("not seen".to_owned(), |time| {
            format!("{:.1} s", time.as_secs_f64())
        }),
        all.only(is_order).count(),
        one.recovered.map(|time| time <= RECOVERS_WITHIN),
    );
    audited(&mut findings, &ground, LOOKED_FOR).await?;
    findings.saw(&one.report);
    ground.stop(&mut findings).await;
    Ok(findings)
}

/// Slow, failing, hanging, dead; each would end by itself.
fn faults(stretch: Duration) -> [(&'static str, Value); 4] {
    let lasts = stretch.as_secs() + 30;
    [
        (
            "slow database",
            json!({ "kind": "database", "ms": SLOW_MS, "for_s": lasts }),
        ),
        (
            "failing",
            json!({ "kind": "error", "status": 500, "for_s": lasts }),
        ),
        ("hanging", json!({ "kind": "hang", "for_s": lasts })),
        ("dead", Value::Null),
    ]
}

/// Breaks inventory, mends it, and waits until nobody can tell any more.
async fn struck(
    ground: &Ground,
    load: Load,
    what: &str,
    fault: &Value,
    lasts: Duration,
) -> Result<Stretch, Error> {
    let victims = ["a1", "a2", "b1"].map(|place| format!("{VICTIM}-{place}"));
    ground.mark(&load, format!("{VICTIM}: {what}"));
    let begin = load.elapsed();
    if fault.is_null() {
        for name in &victims {
            ground.kill(name).await?;
        }
    } else {
        ground.fault(VICTIM, fault).await?;
    }
    pass(lasts).await;
    let end = load.elapsed();
    if fault.is_null() {
        ground.all_running().await?;
    } else {
        ground.clear_faults(Some(VICTIM)).await?;
    }
    let mended = load.elapsed();
    ground.mark(&load, format!("{VICTIM}: mended"));
    let closed = ground
        .until_breaker(VICTIM, "closed", &load, LOOKED_FOR)
        .await;
    let closed = closed.and(in_hand(ground).await);
    let recovered = closed.is_ok().then(|| load.elapsed() - mended);
    if let Some(time) = recovered {
        ground.mark(
            &load,
            format!("recovered after {:.1} s", time.as_secs_f64()),
        );
    }
    Ok(Stretch {
        report: load.end().await,
        begin,
        end,
        recovered,
    })
}

/// Waits until no order that was taken without inventory is left; those being placed now do not count.
async fn in_hand(ground: &Ground) -> Result<(), Error> {
    let client = ground.load_client();
    wait::until("the taken orders to be settled", LOOKED_FOR, || async {
        let ledger = Ledger::read(&client).await;
        let ledger = ledger.map_err(|error| error.to_string())?;
        match ledger.by_status().get("pending_inventory_check") {
            None => Ok(()),
            Some(left) => Err(format!("{left} are pending")),
        }
    })
    .await
}

/// Everything that needs neither inventory nor an order placed now.
fn elsewhere(findings: &mut Findings, what: &str, during: &Slice<'_>, short: bool) {
    let rest = during.only(|one| !its(one) && !is_order(one));
    let (errors, p99) = (rest.errors().count(), rest.quantiles().p99);
    findings.promise(
        format!("{what}: errors elsewhere"),
        "0",
        errors,
        rest.count(),
        errors == 0,
    );
    let shown = format!("{p99:.1} ms");
    if short {
        findings.tell(format!("{what}: p99 elsewhere"), shown, rest.count());
    } else {
        findings.promise(
            format!("{what}: p99 elsewhere"),
            "<= 20 ms",
            shown,
            rest.count(),
            p99 <= ELSEWHERE_WITHIN_MS,
        );
    }
}

async fn unprotected(findings: &mut Findings, terms: &Terms) -> Result<(), Error> {
    let stretch = Duration::from_secs(terms.seconds(20, 5));
    let ground = Ground::with(NAME, terms, without_protection).await?;
    for upstream in crate::binaries::SERVICES {
        ground.breaker_mode_everywhere(upstream, "disabled").await?;
    }
    let patience = if terms.short { PATIENCE / 4 } else { PATIENCE };
    let journey = journey(&ground, ORDERS).await?;
    let load = ground.patient_load(UNPROTECTED_RATE, journey, patience);
    pass(terms.either(SETTLING, SHORT_SETTLING)).await;
    let lasts = stretch.as_secs() + patience.as_secs();
    let slow = json!({ "kind": "database", "ms": SLOW_MS, "for_s": lasts });
    ground.mark(
        &load,
        format!("{VICTIM}: slow database, without protection"),
    );
    let begin = load.elapsed();
    ground.fault(VICTIM, &slow).await?;
    pass(stretch).await;
    let end = load.elapsed();
    // Whoever waits now waits on: what they waited is the figure.
    let report = load.end().await;

    let during = report.all();
    let during = during.during(begin..end);
    for (what, chosen) in [
        ("orders answered, p99", during.only(is_order)),
        ("inventory's own reads, p99", during.only(its)),
        (
            "elsewhere, p99",
            during.only(|one| !its(one) && !is_order(one)),
        ),
    ] {
        let q = chosen.quantiles();
        findings.tell(
            format!("without protection: {what}"),
            format!("{:.0} ms ({} errors)", q.p99, chosen.errors().count()),
            q.count,
        );
    }
    findings.saw(report);
    ground.stop(findings).await;
    Ok(())
}

/// No fallback, no sharing of answers, and all the time that there is.
fn without_protection(wishes: Builder) -> Builder {
    let minute = PATIENCE.as_millis().to_string();
    let mut wishes = wishes
        .set_for("gateway", "LICTOR_ROUTES__INVENTORY__COALESCE", "false")
        .set_for("orders", "LICTOR_UPSTREAMS__INVENTORY__TIMEOUT_MS", &minute)
        .set_for("orders", "LICTOR_UPSTREAMS__PAYMENTS__TIMEOUT_MS", &minute)
        .set("LICTOR_STORE__WAIT_MS", &minute)
        .set("LICTOR_SERVER__REQUEST_TIMEOUT_MS", &minute);
    for route in [
        "INVENTORY",
        "INVENTORY_WRITE",
        "ORDERS",
        "ORDERS_WRITE",
        "PAYMENTS",
        "RECOMMENDATIONS",
        "USERS",
        "PROFILE",
        "DASHBOARD",
    ] {
        wishes = wishes.set_for(
            "gateway",
            format!("LICTOR_ROUTES__{route}__TIMEOUT_MS"),
            &minute,
        );
    }
    for route in ["INVENTORY", "ORDERS", "RECOMMENDATIONS", "DASHBOARD"] {
        wishes = wishes.set_for(
            "gateway",
            format!("LICTOR_ROUTES__{route}__LAST_GOOD_MS"),
            "0",
        );
    }
    wishes
}

async fn journey(ground: &Ground, orders: usize) -> Result<Journey, Error> {
    let client = ground.load_client();
    Journey::shop(&client)
        .await?
        .with_orders(&client, orders, orders)
        .await
}

fn its(one: &Outcome) -> bool {
    ITS_ROUTES.contains(&one.route)
}

fn is_order(one: &Outcome) -> bool {
    [ORDER_PLAIN, ORDER_WITH_KEY].contains(&one.route)
}
