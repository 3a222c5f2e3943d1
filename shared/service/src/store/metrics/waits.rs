//! Waits for what there is a limited number of: connections, and the turn to write.
//!
//! A wait counts when it ends, whatever ends it: a request that is dropped takes its wait with it, and
//! that was in vain like one that ran out of time.

use super::histogram;
use prometheus::{HistogramVec, IntCounterVec, Opts, Registry};
use std::time::Instant;

/// What a use of the store may have to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Awaited {
    /// A connection of the pool.
    Connection,
    /// The turn to write.
    Turn,
}

/// One per store; clones share it.
#[derive(Debug, Clone)]
pub(in crate::store) struct Waits {
    /// Waits for a turn to write or a connection, in vain or not.
    all: HistogramVec,
    /// Those of them that were in vain.
    in_vain: IntCounterVec,
}

/// A wait that goes on; counted when it is dropped, in vain unless [`Waiting::ended`] well.
#[derive(Debug)]
pub(in crate::store) struct Waiting<'w> {
    waits: &'w Waits,
    awaited: Awaited,
    since: Instant,
    in_vain: bool,
}

impl Waits {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let in_vain = IntCounterVec::new(
            Opts::new(
                "lictor_store_waits_in_vain_total",
                "Waits for a connection or the turn to write that ended without it.",
            ),
            &["awaited"],
        )?;
        registry.register(Box::new(in_vain.clone()))?;
        let all = histogram(
            registry,
            "lictor_store_wait_seconds",
            "Waits for a connection or the turn to write, in vain or not.",
            &["awaited"],
        )?;
        for awaited in [Awaited::Connection, Awaited::Turn] {
            all.with_label_values(&[awaited.as_str()]);
            in_vain.with_label_values(&[awaited.as_str()]);
        }
        Ok(Self { all, in_vain })
    }

    /// A wait begins.
    pub(in crate::store) fn begin(&self, awaited: Awaited) -> Waiting<'_> {
        Waiting {
            waits: self,
            awaited,
            since: Instant::now(),
            in_vain: true,
        }
    }
}

impl Waiting<'_> {
    /// Counts it by what came of it, and gives that on.
    pub(in crate::store) fn ended<T, E>(mut self, came: Result<T, E>) -> Result<T, E> {
        self.in_vain = came.is_err();
        came
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let label = [self.awaited.as_str()];
        let all = self.waits.all.with_label_values(&label);
        all.observe(self.since.elapsed().as_secs_f64());
        if self.in_vain {
            self.waits.in_vain.with_label_values(&label).inc();
        }
    }
}

impl Awaited {
    fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Turn => "turn",
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::tests::{shown, store};
    use futures_util::FutureExt;
    use prometheus::Registry;

    #[actix_web::test]
    async fn who_waits_in_vain_is_seen() {
        let (directory, registry) = (tempfile::tempdir().unwrap(), Registry::new());
        let store = store(directory.path(), &registry).await;
        let write = store.write().await.unwrap();
        let reader = sqlx::query("SELECT 1").fetch_all(store.pool()).await;
        assert!(reader.is_err(), "there is one connection");
        assert!(store.write().await.is_err(), "there is one turn");
        let in_vain = |awaited: &str| {
            shown(
                &registry,
                &format!(r#"lictor_store_waits_in_vain_total{{awaited="{awaited}"}}"#),
            )
        };
        assert_eq!((in_vain("connection"), in_vain("turn")), (1.0, 1.0));
        let waited = shown(
            &registry,
            r#"lictor_store_wait_seconds_sum{awaited="connection"}"#,
        );
        assert!(waited >= 0.05, "{waited} s");
        drop(write);
    }

    #[actix_web::test]
    async fn whoever_leaves_while_it_waits_has_waited_in_vain() {
        let (directory, registry) = (tempfile::tempdir().unwrap(), Registry::new());
        let store = store(directory.path(), &registry).await;
        let write = store.write().await.unwrap();
        // Polled once and dropped.
        assert!(store.write().now_or_never().is_none(), "there is one turn");
        let reader = sqlx::query("SELECT 1").fetch_all(store.pool());
        assert!(reader.now_or_never().is_none(), "there is one connection");
        for awaited in ["turn", "connection"] {
            let series = |name: &str| format!(r#"{name}{{awaited="{awaited}"}}"#);
            let in_vain = shown(&registry, &series("lictor_store_waits_in_vain_total"));
            let waited = shown(&registry, &series("lictor_store_wait_seconds_count"));
            assert_eq!((in_vain, waited), (1.0, 2.0), "{awaited}");
        }
        drop(write);
    }
}
