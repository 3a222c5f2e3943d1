//! The connections of the pool, looked at when metrics are gathered.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntGauge, IntGaugeVec, Opts};
use sqlx::AnyPool;

/// The pool as it is when metrics are gathered.
pub(super) struct Connections {
    pool: AnyPool,
    open: IntGaugeVec,
    limit: IntGauge,
}

impl Connections {
    pub(super) fn new(pool: AnyPool) -> Result<Self, prometheus::Error> {
        Ok(Self {
            pool,
            open: IntGaugeVec::new(
                Opts::new(
                    "lictor_store_connections",
                    "Connections to the database that are open now, by whether somebody uses them.",
                ),
                &["state"],
            )?,
            limit: IntGauge::new(
                "lictor_store_connections_limit",
                "Connections to the database that may be open at a time.",
            )?,
        })
    }
}

impl Collector for Connections {
    fn desc(&self) -> Vec<&Desc> {
        [self.open.desc(), self.limit.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // Two looks, and the pool moves between them.
        let (open, idle) = (self.pool.size() as usize, self.pool.num_idle());
        for (state, count) in [("idle", idle), ("used", open.saturating_sub(idle))] {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.open.with_label_values(&[state]).set(count);
        }
        let limit = self.pool.options().get_max_connections();
        self.limit.set(limit.into());
        [self.open.collect(), self.limit.collect()].concat()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::tests::{shown, store};
    use crate::testing;
    use prometheus::Registry;

    #[actix_web::test]
    async fn a_connection_in_use_is_seen() {
        let (directory, registry) = (tempfile::tempdir().unwrap(), Registry::new());
        let store = store(directory.path(), &registry).await;
        let open = |state: &str| {
            shown(
                &registry,
                &format!(r#"lictor_store_connections{{state="{state}"}}"#),
            )
        };
        // Whoever migrated gives its connection back when it comes to it.
        testing::until("an idle connection", || open("idle") == 1.0).await;
        assert_eq!(open("used"), 0.0);
        assert_eq!(shown(&registry, "lictor_store_connections_limit"), 1.0);

        let write = store.write().await.unwrap();
        assert_eq!((open("idle"), open("used")), (0.0, 1.0));
        drop(write);
    }
}
