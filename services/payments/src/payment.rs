//! What a payment is, and what may be asked of one.
//!
//! A payment can be named by its own id or by its order's: whoever charged and never heard the
//! answer knows only the second. Whether an amount is accepted is `till.rs`.

use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::OneOf;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};
use uuid::Uuid;

/// A payment, as the API shows it.
#[derive(Debug, Clone, Serialize, sqlx::FromRow, ToSchema)]
pub struct Payment {
    pub id: String,
    pub order_id: String,
    pub attempt: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    pub amount_cents: i64,
    #[sqlx(try_from = "String")]
    pub status: Status,
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
}

/// The body of `POST /payments`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Charge {
    pub order_id: OrderId,
    #[serde(default)]
    pub attempt: Attempt,
    pub user_id: UserId,
    pub amount_cents: Amount,
}

/// The query of a refund. Without an attempt the latest is meant.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Of {
    /// The try of the order that is meant.
    pub attempt: Option<Attempt>,
}

/// What there is, by status.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Stats {
    pub captured: Sum,
    pub refunded: Sum,
    pub voided: Sum,
}

#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Sum {
    pub payments: i64,
    pub cents: i64,
}

/// Captured until it is refunded. Voided: the order was called off before it was ever charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Captured,
    Refunded,
    Voided,
}

/// The id in a path: a payment's own, or its order's.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub enum Reference {
    Payment(PaymentId),
    Order(OrderId),
}

/// `pay_` and a UUID.
#[derive(Debug, Clone, ToSchema)]
#[schema(value_type = String, pattern = "^pay_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", examples("pay_01937c6e-5a00-7000-8000-000000000001"))]
pub struct PaymentId(String);

/// `ord_` and a UUID.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, pattern = "^ord_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", examples("ord_01937c6e-5a00-7000-8000-000000000001"))]
pub struct OrderId(String);

/// `usr_` and a UUID.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, pattern = "^usr_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", examples("usr_01937c6e-5a00-7000-8000-0000000000a1"))]
pub struct UserId(String);

/// Which try of an order this is: 1 to a million, the first when nothing is said.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(try_from = "i64")]
#[schema(value_type = i64, minimum = 1, maximum = 1_000_000, examples(1))]
pub struct Attempt(i64);

/// Cents, 0 to a trillion in whole units: far below what 64 bits hold.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(try_from = "i64")]
#[schema(value_type = i64, minimum = 0, maximum = 100_000_000_000_000_i64, examples(1490))]
pub struct Amount(i64);

const MOST_ATTEMPTS: i64 = 1_000_000;
const LARGEST_AMOUNT: i64 = 100_000_000_000_000;

impl PaymentId {
    pub fn random() -> Self {
        Self(format!("pay_{}", Uuid::now_v7()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl OrderId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl UserId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Reference {
    pub fn as_str(&self) -> &str {
        match self {
            Self::Payment(id) => id.as_str(),
            Self::Order(id) => id.as_str(),
        }
    }
}

impl Attempt {
    pub fn number(self) -> i64 {
        self.0
    }
}

impl Default for Attempt {
    fn default() -> Self {
        Self(1)
    }
}

impl Amount {
    pub fn cents(self) -> i64 {
        self.0
    }
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Captured => "captured",
            Self::Refunded => "refunded",
            Self::Voided => "voided",
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

impl TryFrom<String> for Reference {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.starts_with("ord_") {
            return OrderId::try_from(text).map(Self::Order);
        }
        prefixed("pay_", text).map(PaymentId).map(Self::Payment)
    }
}

impl PartialSchema for Reference {
    fn schema() -> RefOr<Schema> {
        OneOf::builder()
            .item(OrderId::schema())
            .item(PaymentId::schema())
            .into()
    }
}

impl ToSchema for Reference {}

impl TryFrom<i64> for Attempt {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        match number {
            1..=MOST_ATTEMPTS => Ok(Self(number)),
            _ => Err(format!("must be 1 to {MOST_ATTEMPTS}")),
        }
    }
}

impl TryFrom<i64> for Amount {
    type Error = String;

    fn try_from(cents: i64) -> Result<Self, String> {
        match cents {
            0..=LARGEST_AMOUNT => Ok(Self(cents)),
            _ => Err(format!("must be 0 to {LARGEST_AMOUNT}")),
        }
    }
}

impl TryFrom<String> for Status {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        [Self::Captured, Self::Refunded, Self::Voided]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| format!("{text} is no status of a payment"))
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
mod tests {
    use super::*;

    #[test]
    fn a_payment_is_named_by_its_own_id_or_its_orders() {
        let uuid = "01937c6e-5a00-7000-8000-0000000000a1";
        assert!(matches!(
            Reference::try_from(format!("pay_{uuid}")),
            Ok(Reference::Payment(_))
        ));
        assert!(matches!(
            Reference::try_from(format!("ord_{uuid}")),
            Ok(Reference::Order(_))
        ));
        for bad in [
            uuid.to_owned(),
            format!("usr_{uuid}"),
            "pay_".into(),
            format!("PAY_{uuid}"),
            "ord_1".into(),
        ] {
            assert!(Reference::try_from(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_amount_is_neither_negative_nor_absurd() {
        for bad in [-1, i64::MIN, i64::MAX, LARGEST_AMOUNT + 1] {
            assert!(Amount::try_from(bad).is_err(), "{bad}");
        }
        assert!(Amount::try_from(0).is_ok());
    }
}
