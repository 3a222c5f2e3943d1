//! What an order asks for, and what it got.
//!
//! A reservation has the id of its order: one order, one reservation, and asking again is asking
//! for the same. Where the pieces are counted is `ledger.rs`.

use crate::item::Sku;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// The body of `POST /inventory/reservations`.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    pub order_id: OrderId,
    #[serde(default)]
    pub attempt: Attempt,
    pub items: Wanted,
}

/// What was reserved, at the prices of that moment.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reservation {
    pub order_id: OrderId,
    pub attempt: Attempt,
    pub status: Status,
    pub items: Vec<Line>,
    pub total_cents: i64,
    pub expires_at_ms: i64,
}

/// The query of confirming and releasing. Without an attempt every one is meant.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Of {
    /// The try of the order that is meant.
    #[serde(default = "Attempt::any")]
    pub attempt: Attempt,
}

/// Which try of an order this is: 1 to a million, the first when nothing is said. What comes late
/// from an earlier try changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "i64")]
#[schema(value_type = i64, minimum = 1, maximum = 1_000_000, examples(1))]
pub struct Attempt(i64);

/// One item of a reservation.
#[derive(Debug, Clone, Serialize, sqlx::FromRow, ToSchema)]
pub struct Line {
    #[sqlx(try_from = "String")]
    pub sku: Sku,
    pub quantity: i64,
    pub unit_price_cents: i64,
}

/// Held until it is confirmed, released, or runs out. What ran out can be held again, what was
/// released only by a later attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Held,
    Confirmed,
    Released,
    Expired,
}

/// `ord_` and a UUID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, pattern = "^ord_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", examples("ord_01937c6e-5a00-7000-8000-000000000001"))]
pub struct OrderId(String);

/// 1 to 50 lines, each of another item, in the order of their SKUs: two transactions that lock the
/// same rows lock them in the same order.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(try_from = "Vec<WantedLine>")]
#[schema(min_items = 1, max_items = 50)]
pub struct Wanted(Vec<WantedLine>);

/// One line of a request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedLine {
    pub sku: Sku,
    pub quantity: Quantity,
}

/// 1 to 1000 pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(try_from = "i64")]
#[schema(value_type = i64, minimum = 1, maximum = 1000, examples(2))]
pub struct Quantity(i64);

const MOST_ATTEMPTS: i64 = 1_000_000;
const MOST_LINES: usize = 50;
const MOST_PIECES: i64 = 1_000;

impl Wanted {
    pub fn lines(&self) -> &[WantedLine] {
        &self.0
    }

    /// Whether these lines are what was asked for.
    pub fn is(&self, lines: &[Line]) -> bool {
        let same = |(wanted, line): (&WantedLine, &Line)| {
            wanted.sku == line.sku && wanted.quantity.0 == line.quantity
        };
        self.0.len() == lines.len() && self.0.iter().zip(lines).all(same)
    }
}

impl TryFrom<Vec<WantedLine>> for Wanted {
    type Error = String;

    fn try_from(mut lines: Vec<WantedLine>) -> Result<Self, String> {
        if !(1..=MOST_LINES).contains(&lines.len()) {
            return Err(format!("must have 1 to {MOST_LINES} lines"));
        }
        lines.sort_by(|one, other| one.sku.cmp(&other.sku));
        match lines.windows(2).find(|pair| pair[0].sku == pair[1].sku) {
            Some(pair) => Err(format!(
                "must name each item once; {} is there twice",
                pair[0].sku.as_str()
            )),
            None => Ok(Self(lines)),
        }
    }
}

impl Attempt {
    /// This attempt and all before it: every one.
    pub fn any() -> Self {
        Self(MOST_ATTEMPTS)
    }

    pub fn number(self) -> i64 {
        self.0
    }
}

impl Default for Attempt {
    fn default() -> Self {
        Self(1)
    }
}

impl TryFrom<i64> for Attempt {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        match number {
            1..=MOST_ATTEMPTS => Ok(Self(number)),
            _ => Err(format!("must be 1 to {MOST_ATTEMPTS}")),
        }
    }
}

impl Quantity {
    pub fn pieces(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for Quantity {
    type Error = String;

    fn try_from(pieces: i64) -> Result<Self, String> {
        match pieces {
            1..=MOST_PIECES => Ok(Self(pieces)),
            _ => Err(format!("must be 1 to {MOST_PIECES}")),
        }
    }
}

impl OrderId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for OrderId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let uuid = text
            .strip_prefix("ord_")
            .and_then(|rest| Uuid::try_parse(rest).ok());
        match uuid {
            // One spelling for each id: upper case and the forms without hyphens are no ids.
            Some(uuid) if text == format!("ord_{}", uuid.hyphenated()) => Ok(Self(text)),
            _ => Err("must be ord_ and a UUID in lower case".into()),
        }
    }
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Confirmed => "confirmed",
            Self::Released => "released",
            Self::Expired => "expired",
        }
    }
}

impl TryFrom<String> for Status {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        [Self::Held, Self::Confirmed, Self::Released, Self::Expired]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| format!("{text} is no status of a reservation"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn wanted(lines: &[(&str, i64)]) -> Result<Wanted, String> {
        let line = |&(sku, pieces): &(&str, i64)| {
            Ok(WantedLine {
                sku: Sku::try_from(sku.to_owned())?,
                quantity: Quantity::try_from(pieces)?,
            })
        };
        Wanted::try_from(lines.iter().map(line).collect::<Result<Vec<_>, String>>()?)
    }

    #[test]
    fn lines_come_in_the_order_of_their_skus_whatever_the_client_sent() {
        let wanted = wanted(&[("B", 1), ("A", 2)]).unwrap();
        let skus: Vec<&str> = wanted
            .lines()
            .iter()
            .map(|line| line.sku.as_str())
            .collect();
        assert_eq!(skus, ["A", "B"]);
    }

    #[test]
    fn an_item_twice_no_item_and_too_many_items_are_refused() {
        assert!(
            wanted(&[("A", 1), ("B", 1), ("A", 2)])
                .unwrap_err()
                .contains("A is there twice")
        );
        assert!(wanted(&[]).is_err());
        let many: Vec<String> = (0..51).map(|index| format!("SKU-{index}")).collect();
        let many: Vec<(&str, i64)> = many.iter().map(|sku| (sku.as_str(), 1)).collect();
        assert!(wanted(&many).is_err());
    }

    #[test]
    fn a_quantity_is_at_least_one_and_bounded() {
        for bad in [0, -1, 1001, i64::MAX] {
            assert!(Quantity::try_from(bad).is_err(), "{bad}");
        }
    }
}
