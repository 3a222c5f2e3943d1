//! Whether the books agree: for each order that stands there is one reservation and one payment of its amount, and nothing else is held or charged.
//!
//! Each service is asked directly, at one of its instances: what the gateway remembers is no evidence.

use std::time::Duration;

use serde_json::Value;

use super::findings::Findings;
use super::ground::Ground;
use super::ledger::Ledger;
use crate::client::Client;
use crate::error::Error;
use crate::wait;

/// An order that may still become something else.
const UNSETTLED: [&str; 3] = ["accepted", "pending_inventory_check", "cancelling"];
/// An order that stands: reserved and paid.
const STANDING: [&str; 3] = ["confirmed", "shipped", "completed"];

/// A number of things and their worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
    pub count: i64,
    pub cents: i64,
}

/// The same, by three services.
#[derive(Clone, Copy, Debug)]
pub struct Audit {
    pub orders: Sum,
    pub reserved: Sum,
    pub paid: Sum,
    /// Reservations that are neither confirmed nor released.
    pub held: i64,
}

impl Audit {
    pub async fn of(ground: &Ground, ledger: &Ledger) -> Result<Self, Error> {
        let stock = ask(ground, "inventory", "/inventory/reservations/stats").await?;
        let money = ask(ground, "payments", "/payments/stats").await?;
        let number = |value: &Value| value.as_i64().unwrap_or_default();
        let standing = ledger
            .entries()
            .filter(|entry| STANDING.contains(&entry.status.as_str()));
        let orders = standing.fold(Sum { count: 0, cents: 0 }, |sum, entry| Sum {
            count: sum.count + 1,
            cents: sum.cents + entry.cents,
        });
        Ok(Self {
            orders,
            reserved: Sum {
                count: number(&stock["confirmed"]["reservations"]),
                cents: number(&stock["confirmed"]["cents"]),
            },
            paid: Sum {
                count: number(&money["captured"]["payments"]),
                cents: number(&money["captured"]["cents"]),
            },
            held: number(&stock["held"]["reservations"]),
        })
    }

    pub fn agrees(&self) -> bool {
        self.orders == self.reserved && self.orders == self.paid && self.held == 0
    }
}

impl std::fmt::Display for Audit {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.agrees() {
            return write!(
                out,
                "{} orders, {} cents",
                self.orders.count, self.orders.cents
            );
        }
        let Self {
            orders,
            reserved,
            paid,
            held,
        } = self;
        write!(
            out,
            "orders {}/{} c, reserved {}/{} c, paid {}/{} c, held {held}",
            orders.count, orders.cents, reserved.count, reserved.cents, paid.count, paid.cents
        )
    }
}

/// Waits until no order is unsettled; the ledger then.
pub async fn settled(ground: &Ground, limit: Duration) -> Result<Ledger, Error> {
    let client = ground.load_client();
    wait::until("every order to be settled", limit, || async {
        let ledger = Ledger::read(&client)
            .await
            .map_err(|error| error.to_string())?;
        let open = ledger.by_status();
        if UNSETTLED.iter().all(|status| !open.contains_key(status)) {
            Ok(ledger)
        } else {
            Err(format!("{open:?}"))
        }
    })
    .await
}

/// Waits for the last order, then holds the books against each other; the ledger.
pub async fn audited(
    findings: &mut Findings,
    ground: &Ground,
    limit: Duration,
) -> Result<Ledger, Error> {
    let client = ground.load_client();
    let ledger = match settled(ground, limit).await {
        Ok(ledger) => ledger,
        Err(error) => {
            findings.saw(error);
            Ledger::read(&client).await?
        }
    };
    let by_status = ledger.by_status();
    let open: usize = UNSETTLED
        .iter()
        .filter_map(|status| by_status.get(status))
        .sum();
    let all = ledger.entries().count();
    findings.promise("orders left unsettled", "0", open, all, open == 0);
    let audit = Audit::of(ground, &ledger).await?;
    findings.promise(
        "orders, reservations and payments",
        "agree",
        audit,
        all,
        audit.agrees(),
    );
    findings.tell("orders by status", format!("{by_status:?}"), all);
    Ok(ledger)
}

async fn ask(ground: &Ground, service: &str, path: &str) -> Result<Value, Error> {
    let instance = ground.instance(&format!("{service}-a1"))?;
    let answer = Client::new(instance.addresses.public)
        .get(path)
        .await
        .map_err(|failure| Error::Other(format!("{path}: {failure}")))?;
    match answer.status {
        200 => Ok(answer.json()),
        status => Err(Error::Other(format!("{path}: {status} {}", answer.text()))),
    }
}
