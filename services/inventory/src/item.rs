//! What an item is, and which numbers may describe it.
//!
//! The bounds are wide enough for a shop and narrow enough that no sum of a reservation can
//! overflow: 50 lines x 1 000 pieces x 10 million stay far below 2^63 cents.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An item with its stock, as the API shows it.
#[derive(Debug, Clone, Serialize, sqlx::FromRow, ToSchema)]
pub struct Item {
    #[sqlx(try_from = "String")]
    pub sku: Sku,
    pub name: String,
    pub price_cents: i64,
    pub stock: i64,
    pub reserved: i64,
    pub available: i64,
    pub updated_at_ms: i64,
}

/// The body that makes or replaces an item.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemUpdate {
    pub name: ItemName,
    pub price_cents: Price,
    pub stock: Stock,
}

/// 1 to 32 of A-Z, 0-9 and -, such as `LAMP-OIL`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, pattern = "^[A-Z0-9-]{1,32}$", examples("LAMP-OIL"))]
pub struct Sku(String);

/// 1 to 200 characters, trimmed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, min_length = 1, max_length = 200, examples("Lamp oil"))]
pub struct ItemName(String);

/// Cents, 0 to 10 million in whole units.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(try_from = "i64")]
#[schema(value_type = i64, minimum = 0, maximum = 1_000_000_000, examples(590))]
pub struct Price(i64);

/// Pieces in the house, 0 to a billion.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(try_from = "i64")]
#[schema(value_type = i64, minimum = 0, maximum = 1_000_000_000, examples(100))]
pub struct Stock(i64);

const SKU_LIMIT: usize = 32;
const NAME_LIMIT: usize = 200;
const HIGHEST_PRICE: i64 = 1_000_000_000;
const LARGEST_STOCK: i64 = 1_000_000_000;

impl Sku {
    pub fn as_str(&self) -> &str {
        &self.0
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

impl ItemName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ItemName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let name = text.trim();
        let fits = (1..=NAME_LIMIT).contains(&name.chars().count());
        if !fits || name.chars().any(char::is_control) {
            return Err(format!(
                "must have 1 to {NAME_LIMIT} characters, none of them a control character"
            ));
        }
        Ok(Self(name.to_owned()))
    }
}

impl Price {
    pub fn cents(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for Price {
    type Error = String;

    fn try_from(cents: i64) -> Result<Self, String> {
        match cents {
            0..=HIGHEST_PRICE => Ok(Self(cents)),
            _ => Err(format!("must be 0 to {HIGHEST_PRICE}")),
        }
    }
}

impl Stock {
    pub fn pieces(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for Stock {
    type Error = String;

    fn try_from(pieces: i64) -> Result<Self, String> {
        match pieces {
            0..=LARGEST_STOCK => Ok(Self(pieces)),
            _ => Err(format!("must be 0 to {LARGEST_STOCK}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_sku_is_short_and_plain() {
        assert!(Sku::try_from("LAMP-OIL-2".to_owned()).is_ok());
        for bad in [
            "",
            "lamp",
            "LAMP OIL",
            "LAMP/OIL",
            "L\u{c4}MP",
            "A23456789012345678901234567890123",
        ] {
            assert!(Sku::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn negative_and_absurd_numbers_are_refused() {
        for bad in [-1, i64::MIN, HIGHEST_PRICE + 1, i64::MAX] {
            assert!(Price::try_from(bad).is_err(), "{bad}");
            assert!(Stock::try_from(bad).is_err(), "{bad}");
        }
        assert_eq!(
            Price::try_from(HIGHEST_PRICE).map(Price::cents),
            Ok(HIGHEST_PRICE)
        );
    }
}
