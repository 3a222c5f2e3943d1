//! What an order is, and what may be ordered.
//!
//! Each field of a request is a type that can only be had by parsing. Lines are kept in the order
//! of their SKUs, so that one basket has one spelling, whatever the client sent. Which status may
//! follow which is `status.rs`.

use crate::status::Status;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// An order, as the API shows it.
#[derive(Debug, Clone, Serialize, sqlx::FromRow, ToSchema)]
pub struct Order {
    #[sqlx(try_from = "String")]
    pub id: OrderId,
    #[sqlx(try_from = "String")]
    pub user_id: UserId,
    #[sqlx(try_from = "String")]
    pub status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the client was told with the reason.
    #[serde(skip)]
    pub detail: Option<String>,
    #[sqlx(try_from = "String")]
    pub items: Lines,
    pub total_cents: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_id: Option<String>,
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
    /// Which try of placing it this is.
    #[serde(skip)]
    pub attempt: i64,
    /// While somebody works on it, when that claim runs out.
    #[serde(skip)]
    pub due_at_ms: i64,
    /// How often in a row the reconciler got nowhere.
    #[serde(skip)]
    pub tries: i64,
}

/// The body of `POST /orders`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrder {
    pub user_id: UserId,
    pub items: Basket,
}

/// Counts and money. Pending is every order that can still change; revenue is what was charged and
/// not given back.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Stats {
    pub total_orders: i64,
    pub pending_orders: i64,
    pub completed_orders: i64,
    pub total_revenue_cents: i64,
    /// Only what there is.
    pub by_status: BTreeMap<Status, Sum>,
}

/// Orders, and what they cost as far as that is known.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Sum {
    pub orders: i64,
    pub cents: i64,
}

/// What is left on the way, in the whole store.
#[derive(Debug, Default)]
pub struct Unsettled {
    pub orders: BTreeMap<Status, i64>,
    /// Age of the oldest of them.
    pub oldest_ms: i64,
}

/// One line of an order. The price is inventory's, and unknown until it has reserved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Line {
    pub sku: Sku,
    pub quantity: Quantity,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_price_cents: Option<i64>,
}

/// The lines of an order, as they are stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Lines(pub Vec<Line>);

/// 1 to 50 lines, each of another item.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "Vec<Wanted>")]
#[schema(min_items = 1, max_items = 50)]
pub struct Basket(Vec<Wanted>);

/// One line of a basket.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    pub sku: Sku,
    pub quantity: Quantity,
}

/// `ord_` and a UUID. Version 7, so that ids sort by age and cannot be guessed from each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, pattern = "^ord_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", examples("ord_01937c6e-5a00-7000-8000-000000000001"))]
pub struct OrderId(String);

/// `usr_` and a UUID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, pattern = "^usr_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", examples("usr_01937c6e-5a00-7000-8000-0000000000a1"))]
pub struct UserId(String);

/// 1 to 32 of A-Z, 0-9 and -.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, pattern = "^[A-Z0-9-]{1,32}$", examples("LAMP-OIL"))]
pub struct Sku(String);

/// 1 to 1000 pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "i64")]
#[schema(value_type = i64, minimum = 1, maximum = 1000, examples(2))]
pub struct Quantity(i64);

const MOST_LINES: usize = 50;
const MOST_PIECES: i64 = 1_000;
const SKU_LIMIT: usize = 32;

impl OrderId {
    pub fn random() -> Self {
        Self(format!("ord_{}", Uuid::now_v7()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl UserId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Basket {
    /// The lines of an order that has no prices yet.
    pub fn unpriced(&self) -> Lines {
        let line = |wanted: &Wanted| Line {
            sku: wanted.sku.clone(),
            quantity: wanted.quantity,
            unit_price_cents: None,
        };
        Lines(self.0.iter().map(line).collect())
    }
}

impl Lines {
    /// Inventory said what they cost, or the last known stock did.
    pub fn are_priced(&self) -> bool {
        self.0.iter().all(|line| line.unit_price_cents.is_some())
    }

    /// As it is stored.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("lines are plain data")
    }
}

impl Sku {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Quantity {
    pub fn pieces(self) -> i64 {
        self.0
    }
}

impl TryFrom<String> for Lines {
    type Error = serde_json::Error;

    fn try_from(json: String) -> Result<Self, serde_json::Error> {
        serde_json::from_str(&json).map(Self)
    }
}

impl TryFrom<Vec<Wanted>> for Basket {
    type Error = String;

    fn try_from(mut lines: Vec<Wanted>) -> Result<Self, String> {
        if !(1..=MOST_LINES).contains(&lines.len()) {
            return Err(format!("must have 1 to {MOST_LINES} lines"));
        }
        lines.sort_by(|one, other| one.sku.cmp(&other.sku));
        match lines.windows(2).find(|pair| pair[0].sku == pair[1].sku) {
            Some(pair) => Err(format!(
                "must name each item once; {} is there twice",
                pair[0].sku.0
            )),
            None => Ok(Self(lines)),
        }
    }
}

impl TryFrom<String> for OrderId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        prefixed("ord_", text).map(Self)
    }
}

impl TryFrom<String> for UserId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        prefixed("usr_", text).map(Self)
    }
}

impl TryFrom<String> for Sku {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-';
        if text.is_empty() || text.len() > SKU_LIMIT || !text.bytes().all(plain) {
            return Err(format!("must be 1 to {SKU_LIMIT} of A-Z, 0-9 and -"));
        }
        Ok(Self(text))
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

/// One spelling for each id: upper case and the forms without hyphens are no ids.
fn prefixed(prefix: &str, text: String) -> Result<String, String> {
    let uuid = text
        .strip_prefix(prefix)
        .and_then(|rest| Uuid::try_parse(rest).ok());
    match uuid {
        Some(uuid) if text == format!("{prefix}{}", uuid.hyphenated()) => Ok(text),
        _ => Err(format!("must be {prefix} and a UUID in lower case")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const BODY: &str = r#"{"user_id":"usr_01937c6e-5a00-7000-8000-0000000000a1","items":ITEMS}"#;

    fn parse(items: &str) -> Result<NewOrder, serde_json::Error> {
        serde_json::from_str(&BODY.replace("ITEMS", items))
    }

    #[test]
    fn one_basket_has_one_spelling() {
        let one = parse(r#"[{"sku":"B","quantity":1},{"sku":"A","quantity":2}]"#).unwrap();
        let other = parse(r#"[{"quantity":2,"sku":"A"},{"quantity":1,"sku":"B"}]"#).unwrap();
        assert_eq!(
            serde_json::to_string(&one).unwrap(),
            serde_json::to_string(&other).unwrap()
        );
    }

    #[test]
    fn a_basket_is_bounded_and_names_each_item_once() {
        for bad in [
            "[]",
            r#"[{"sku":"A","quantity":0}]"#,
            r#"[{"sku":"A","quantity":-1}]"#,
            r#"[{"sku":"A","quantity":1001}]"#,
            r#"[{"sku":"a","quantity":1}]"#,
            r#"[{"sku":"A","quantity":1},{"sku":"A","quantity":1}]"#,
            r#"[{"sku":"A","quantity":1,"unit_price_cents":1}]"#,
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn stored_lines_come_back_as_they_were() {
        let mut lines = parse(r#"[{"sku":"A","quantity":2}]"#)
            .unwrap()
            .items
            .unpriced();
        assert_eq!(Lines::try_from(lines.to_json()).unwrap(), lines);
        lines.0[0].unit_price_cents = Some(590);
        assert_eq!(Lines::try_from(lines.to_json()).unwrap(), lines);
    }
}
