//! Keeps the last known stock fresh: one instance asks inventory, all know it.
//!
//! Whoever finds the copy old asks for all items, page by page; a page that does not come leaves the
//! copy as it was. The first pages are kept, up to a bound: what a shop has beyond it is unknown when
//! inventory is away.

use crate::clock::now_ms;
use crate::inventory::Inventory;
use crate::metrics::Metrics;
use crate::pace::Pace;
use crate::stock::KnownStock;
use serde::Deserialize;
use service::Error;
use std::time::Duration;

/// Beside the requests, one for each process.
pub struct Refresh {
    pub stock: KnownStock,
    pub inventory: Inventory,
    pub settings: Settings,
    pub metrics: Metrics,
}

/// `[stock]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub refresh_ms: u32,
    pub most_items: u32,
    pub keep_ms: u32,
}

/// One page of items may take this long: nobody waits for it.
const PATIENCE: Duration = Duration::from_secs(2);

impl Refresh {
    /// For as long as the process lives.
    pub async fn run(self) {
        loop {
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "the last known stock could not be refreshed");
            }
            tokio::time::sleep(self.settings.pause()).await;
        }
    }

    async fn look(&self) -> Result<(), Error> {
        let age = self.stock.age_ms().await?;
        if age.is_none_or(|age| age >= i64::from(self.settings.refresh_ms)) {
            self.ask().await?;
        }
        let age = self.stock.age_ms().await?;
        self.metrics.stock_age(age);
        Ok(())
    }

    /// An inventory that does not answer is no news here: its breaker says so.
    async fn ask(&self) -> Result<(), Error> {
        let (asked_at, pace) = (now_ms(), Pace::Patient(PATIENCE));
        let (mut items, mut after) = (Vec::new(), None);
        while items.len() < self.settings.most_items as usize {
            match self.inventory.items(after.as_ref(), pace).await {
                Ok(page) => {
                    items.extend(page.items);
                    after = page.after;
                }
                Err(failure) => {
                    tracing::debug!(%failure, "inventory was not heard");
                    return Ok(());
                }
            }
            if after.is_none() {
                break;
            }
        }
        items.truncate(self.settings.most_items as usize);
        self.stock.learn(&items, asked_at).await
    }
}

impl Settings {
    /// Half the time: a copy is never older than one and a half refreshes while inventory answers.
    fn pause(&self) -> Duration {
        Duration::from_millis(u64::from(self.refresh_ms / 2).max(1))
            .mul_f64(rand::random_range(0.8..1.2))
    }
}
