//! The life of an order: which status may follow which, and who may say so.
//!
//! ```text
//! accepted -> confirmed -> shipped -> completed
//!   | |  ^       | ^
//!   | |  |       | |
//!   | +--|-------|-+-- pending_inventory_check (inventory is away)
//!   |    |       |          |
//!   +----|-------+----------+--> cancelling -> rejected (the shop refused) or cancelled (the client did)
//!        +-- tried again by its key --------------|
//! ```
//!
//! `accepted`, `pending_inventory_check`, `confirmed`, `cancelling` and `rejected` are the shop's own words: a client moves an
//! order on, or cancels it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", try_from = "String")]
#[schema(examples("shipped"))]
pub enum Status {
    /// Written down; stock and money are being seen to.
    Accepted,
    /// Taken from the last known stock: reserved and charged once inventory answers.
    PendingInventoryCheck,
    /// Reserved and paid.
    Confirmed,
    Shipped,
    Completed,
    /// Being undone: what is reserved is released, what is charged is refunded.
    Cancelling,
    Cancelled,
    /// Refused by the shop; `reason` says why.
    Rejected,
}

const ALL: [Status; 8] = [
    Status::Accepted,
    Status::PendingInventoryCheck,
    Status::Confirmed,
    Status::Shipped,
    Status::Completed,
    Status::Cancelling,
    Status::Cancelled,
    Status::Rejected,
];

impl Status {
    /// What the reconciler brings to an end.
    pub const UNSETTLED: [Self; 3] = [
        Self::Accepted,
        Self::PendingInventoryCheck,
        Self::Cancelling,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::PendingInventoryCheck => "pending_inventory_check",
            Self::Confirmed => "confirmed",
            Self::Shipped => "shipped",
            Self::Completed => "completed",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
        }
    }

    /// The status from which a client may move an order on to this one; cancelling goes its own way.
    pub fn moved_on_from(self) -> Option<Self> {
        match self {
            Self::Shipped => Some(Self::Confirmed),
            Self::Completed => Some(Self::Shipped),
            _ => None,
        }
    }

    /// Nothing can change it any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled | Self::Rejected)
    }

    /// Reserved and charged, and neither was given back.
    pub fn is_taken(self) -> bool {
        matches!(self, Self::Confirmed | Self::Shipped | Self::Completed)
    }
}

impl TryFrom<String> for Status {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        ALL.into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| format!("must be one of {}", ALL.map(Self::as_str).join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_ships_what_is_confirmed_and_completes_what_is_shipped() {
        assert_eq!(Status::Shipped.moved_on_from(), Some(Status::Confirmed));
        assert_eq!(Status::Completed.moved_on_from(), Some(Status::Shipped));
        let shops_own = [
            Status::Accepted,
            Status::PendingInventoryCheck,
            Status::Confirmed,
            Status::Cancelling,
            Status::Cancelled,
            Status::Rejected,
        ];
        assert!(
            shops_own
                .iter()
                .all(|status| status.moved_on_from().is_none())
        );
    }

    #[test]
    fn every_status_reads_as_it_writes() {
        for status in ALL {
            assert_eq!(Status::try_from(status.as_str().to_owned()), Ok(status));
        }
        assert!(Status::try_from("lost".to_owned()).is_err());
    }
}
