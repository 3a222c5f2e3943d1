//! What to recommend: companions of what was ordered, filled up with what is popular.
//!
//! A companion that several ordered items point to counts for each of them. What was ordered already
//! is not recommended again, unless nothing else is left.

use serde::Serialize;
use service::{Error, Store};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The scores of this store.
#[derive(Clone)]
pub struct Taste {
    store: Store,
}

/// One recommended item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, ToSchema)]
pub struct Pick {
    pub sku: String,
    pub name: String,
    pub score: i64,
}

impl Taste {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// The most popular first; ties in the order of their SKUs.
    pub async fn popular(&self) -> Result<Vec<Pick>, Error> {
        let items = sqlx::query_as("SELECT sku, name, score FROM items ORDER BY score DESC, sku")
            .fetch_all(self.store.pool())
            .await?;
        Ok(items)
    }

    /// What each of these goes with, and how well.
    pub async fn companions(&self, ordered: &[String]) -> Result<Vec<(String, i64)>, Error> {
        let mut companions = Vec::new();
        for sku in ordered {
            let found: Vec<(String, i64)> =
                sqlx::query_as("SELECT goes_with, weight FROM companions WHERE sku = $1")
                    .bind(sku.as_str())
                    .fetch_all(self.store.pool())
                    .await?;
            companions.extend(found);
        }
        Ok(companions)
    }
}

/// The best `count` of `popular`, those that go with what was `ordered` before the others.
pub fn choose(
    ordered: &[String],
    companions: Vec<(String, i64)>,
    popular: Vec<Pick>,
    count: usize,
) -> Vec<Pick> {
    let mut weights: BTreeMap<String, i64> = BTreeMap::new();
    for (sku, weight) in companions {
        let sum = weights.entry(sku).or_default();
        *sum = sum.saturating_add(weight);
    }
    let weight = |pick: &Pick| weights.get(&pick.sku).copied().unwrap_or(0);
    let mut picks = popular;
    // Stable: equal weights stay in the order of popularity.
    picks.sort_by_key(|pick| (ordered.contains(&pick.sku), std::cmp::Reverse(weight(pick))));
    picks.truncate(count);
    picks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(sku: &str, score: i64) -> Pick {
        Pick {
            sku: sku.into(),
            name: sku.to_lowercase(),
            score,
        }
    }

    fn chosen(ordered: &[&str], companions: &[(&str, i64)], count: usize) -> Vec<String> {
        let popular = vec![pick("A", 9), pick("B", 8), pick("C", 7), pick("D", 6)];
        let ordered: Vec<String> = ordered.iter().map(|sku| (*sku).to_owned()).collect();
        let companions = companions
            .iter()
            .map(|&(sku, weight)| (sku.to_owned(), weight))
            .collect();
        choose(&ordered, companions, popular, count)
            .into_iter()
            .map(|pick| pick.sku)
            .collect()
    }

    #[test]
    fn without_orders_the_popular_come_first() {
        assert_eq!(chosen(&[], &[], 2), ["A", "B"]);
    }

    #[test]
    fn a_companion_comes_before_the_popular_and_counts_for_each_that_points_to_it() {
        assert_eq!(
            chosen(&["A", "B"], &[("C", 5), ("D", 3), ("D", 3)], 3),
            ["D", "C", "A"]
        );
    }

    #[test]
    fn what_was_ordered_comes_last() {
        assert_eq!(chosen(&["A"], &[("A", 100)], 4), ["B", "C", "D", "A"]);
    }

    #[test]
    fn an_item_that_is_not_known_is_not_recommended() {
        assert_eq!(chosen(&["A"], &[("Z", 100)], 1), ["B"]);
    }
}
