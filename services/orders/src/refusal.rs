//! Why an order was not taken: the one list of reasons, and what each of them answers.
//!
//! A reason is stored with the order, with the words that came with it, so that asking again gets the
//! same answer. After a reason that may pass, the next request with the key is a new attempt of the
//! same order.

use service::Error;

/// What the client is told instead of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub reason: Reason,
    pub detail: String,
}

/// The stable codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    OutOfStock,
    UnknownItem,
    PaymentDeclined,
    /// A peer says that this order cannot be taken any more, or not like this.
    OrderClosed,
    /// Inventory is away, and nothing is known of what it had.
    StockUnknown,
    /// Only between services: a client gets a pending order, or `StockUnknown`.
    InventoryUnavailable,
    PaymentsUnavailable,
    DeadlineExceeded,
}

const ALL: [Reason; 8] = [
    Reason::OutOfStock,
    Reason::UnknownItem,
    Reason::PaymentDeclined,
    Reason::OrderClosed,
    Reason::StockUnknown,
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
            Self::StockUnknown => "stock_unknown",
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
            Self::StockUnknown
                | Self::InventoryUnavailable
                | Self::PaymentsUnavailable
                | Self::DeadlineExceeded
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
            Reason::StockUnknown | Reason::InventoryUnavailable | Reason::PaymentsUnavailable => {
                Self::unavailable(reason.code(), detail)
            }
            Reason::DeadlineExceeded => Self::new(504, reason.code(), detail),
        }
    }
}
