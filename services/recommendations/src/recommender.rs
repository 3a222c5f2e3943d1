//! A user's recommendations. They are never worth an error: without the orders service the popular
//! items do, and the answer says so.

use crate::orders::Orders;
use crate::taste::{Pick, Taste, choose};
use crate::user::UserId;
use serde::Serialize;
use service::Error;
use upstream::Deadline;
use utoipa::ToSchema;

/// Recommends; one for each worker, because its connections stay there.
pub struct Recommender {
    pub taste: Taste,
    pub orders: Orders,
    /// How many items.
    pub count: usize,
}

/// The answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct Recommendations {
    user_id: UserId,
    source: Source,
    items: Vec<Pick>,
}

/// What they are drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Source {
    Orders,
    Popular,
}

impl Recommender {
    /// # Errors
    /// The store fails.
    pub async fn recommend(
        &self,
        user: UserId,
        deadline: Deadline,
    ) -> Result<Recommendations, Error> {
        let ordered = self
            .orders
            .ordered_by(&user, deadline)
            .await
            .unwrap_or_else(|error| {
                tracing::debug!(%error, "the orders of a user are not known: the popular items do");
                Vec::new()
            });
        let source = if ordered.is_empty() {
            Source::Popular
        } else {
            Source::Orders
        };
        let companions = self.taste.companions(&ordered).await?;
        let items = choose(
            &ordered,
            companions,
            self.taste.popular().await?,
            self.count,
        );
        Ok(Recommendations {
            user_id: user,
            source,
            items,
        })
    }
}
