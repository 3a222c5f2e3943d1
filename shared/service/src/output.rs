//! The shape of a list. Everything else is a plain resource without an envelope.

use serde::Serialize;
use utoipa::ToSchema;

/// One page of a list, in a stable order.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Listing<T> {
    /// The resources of this page.
    pub items: Vec<T>,
    /// How many there are in all.
    pub total: i64,
    /// Pass it as `after` to read on; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}
