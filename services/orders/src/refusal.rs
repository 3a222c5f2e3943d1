//! Why an order was not taken: the one list of reasons, and what each of them answers.
//!
//! A reason is stored with the order and, when it is final, with the idempotency key, so that asking
//! again gets the same words. A reason that may pass is not kept with the key: the next request with
//! it is a new attempt.

use serde::{Deserialize, Serialize};
use service::Error;

/// What the client is told instead of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub reason: Reason,
    pub detail: String,
}

/// The stable codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    OutOfStock,
    UnknownItem,
    PaymentDeclined,
    /// It was cancelled while it was being placed.
    OrderClosed,
    InventoryUnavailable,
    PaymentsUnavailable,
    DeadlineExceeded,
}

const ALL: [Reason; 7] = [
    Reason::OutOfStock,
    Reason::UnknownItem,
    Reason::PaymentDeclined,
    Reason::OrderClosed,
    Reason::InventoryUnavailable,
    Reason::PaymentsUnavailable,
    Reason::DeadlineExceeded,
];

impl Reason {
    pub fn code(self) -> &'static str {
        match self {
            Self::OutOfStock => "out_of_stock",
            Self::UnknownItem => "unknown_item",
            Self::PaymentDeclined => "payment_declined",
            Self::OrderClosed => "order_closed",
            Self::InventoryUnavailable => "inventory_unavailable",
            Self::PaymentsUnavailable => "payments_unavailable",
            Self::DeadlineExceeded => "deadline_exceeded",
        }
    }

    /// The reason that was stored with an order.
    pub fn stored(code: &str) -> Option<Self> {
        ALL.into_iter().find(|reason| reason.code() == code)
    }

    /// The same request may be taken a moment later.
    pub fn may_pass(self) -> bool {
        matches!(
            self,
            Self::InventoryUnavailable | Self::PaymentsUnavailable | Self::DeadlineExceeded
        )
    }
}

impl Refusal {
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let Refusal { reason, detail } = refusal;
        match reason {
            Reason::OutOfStock => Self::conflict(reason.code(), detail).field("items"),
            Reason::OrderClosed => Self::conflict(reason.code(), detail),
            Reason::UnknownItem => Self::unprocessable(reason.code(), detail).field("items"),
            Reason::PaymentDeclined => Self::new(402, reason.code(), detail),
            Reason::InventoryUnavailable | Reason::PaymentsUnavailable => {
                Self::unavailable(reason.code(), detail)
            }
            Reason::DeadlineExceeded => Self::new(504, reason.code(), detail),
        }
    }
}
