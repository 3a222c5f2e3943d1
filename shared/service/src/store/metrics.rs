//! What is counted about the database: its connections, the wait for one, and how long it takes to answer.
//!
//! Operations have the database conventions' name and the first word of the SQL; a transaction that may write counts as one,
//! from its begin to its commit, with what the service does in between. Nothing of a statement but that word is a label.

use super::is_out_of_time;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};
use sqlx::{AnyPool, Error};
use std::time::Instant;

/// An embedded database answers in tens of microseconds; nothing here waits longer than `store.wait_ms`, which is 2 s as shipped.
const BUCKETS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
];

/// First words that have a series of their own.
const WORDS: [&str; 4] = ["SELECT", "INSERT", "UPDATE", "DELETE"];
/// What all others are called, as the conventions call what is not known.
const OTHER: &str = "_OTHER";
/// All statements from begin to commit.
const TRANSACTION: &str = "TRANSACTION";

/// What a use of the store may have to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaited {
    /// A connection of the pool.
    Connection,
    /// The turn to write.
    Turn,
}

/// One per store; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    /// Waits for a turn to write or a connection, in vain or not.
    waits: HistogramVec,
    /// Those of them that were in vain.
    waits_in_vain: IntCounterVec,
    /// Statements and transactions, until the database had answered.
    operations: HistogramVec,
}

/// An operation that runs. Dropped without [`Operation::ended`], nobody waited for its end.
#[derive(Debug)]
pub(super) struct Operation {
    word: &'static str,
    since: Instant,
    /// What it is when it is dropped.
    unless_ended: Option<&'static str>,
    metrics: Metrics,
}

/// The pool as it is when metrics are gathered.
struct Connections {
    pool: AnyPool,
    open: IntGaugeVec,
    limit: IntGauge,
}

impl Metrics {
    /// Registers everything, once for the store.
    pub(super) fn register(registry: &Registry, pool: &AnyPool) -> Result<Self, prometheus::Error> {
        let histogram = |name: &str, help: &str, labels: &[&str]| {
            let opts = HistogramOpts::new(name, help).buckets(BUCKETS.to_vec());
            let histogram = HistogramVec::new(opts, labels)?;
            registry.register(Box::new(histogram.clone()))?;
            Ok::<_, prometheus::Error>(histogram)
        };
        let waits_in_vain = IntCounterVec::new(
            Opts::new(
                "lictor_store_waits_in_vain_total",
                "Waits for a connection or the turn to write that ended without it.",
            ),
            &["awaited"],
        )?;
        registry.register(Box::new(waits_in_vain.clone()))?;
        registry.register(Box::new(Connections::new(pool.clone())?))?;
        let waits = histogram(
            "lictor_store_wait_seconds",
            "Waits for a connection or the turn to write, in vain or not.",
            &["awaited"],
        )?;
        for awaited in [Awaited::Connection, Awaited::Turn] {
            waits.with_label_values(&[awaited.as_str()]);
            waits_in_vain.with_label_values(&[awaited.as_str()]);
        }
        Ok(Self {
            waits,
            waits_in_vain,
            operations: histogram(
                "db_client_operation_duration_seconds",
                "Statements and transactions, until the database had answered.",
                &["operation", "error_type"],
            )?,
        })
    }

    /// A wait is over.
    pub(super) fn waited<T>(&self, awaited: Awaited, since: Instant, came: &Result<T, Error>) {
        let label = [awaited.as_str()];
        let waits = self.waits.with_label_values(&label);
        waits.observe(since.elapsed().as_secs_f64());
        if came.is_err() {
            self.waits_in_vain.with_label_values(&label).inc();
        }
    }

    /// A statement begins.
    pub(super) fn statement(&self, sql: &str) -> Operation {
        let first = sql.split_whitespace().next().unwrap_or_default();
        let word = WORDS.iter().find(|word| word.eq_ignore_ascii_case(first));
        self.operation(word.unwrap_or(&OTHER), "cancelled")
    }

    /// A transaction that may write begins.
    pub(super) fn transaction(&self) -> Operation {
        self.operation(TRANSACTION, "rolled_back")
    }

    fn operation(&self, word: &'static str, unless_ended: &'static str) -> Operation {
        Operation {
            word,
            since: Instant::now(),
            unless_ended: Some(unless_ended),
            metrics: self.clone(),
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

impl Operation {
    /// Counts it by what came of it, and gives that on.
    pub(super) fn ended<T>(mut self, result: Result<T, Error>) -> Result<T, Error> {
        self.unless_ended = None;
        self.observe(result.as_ref().err().map_or("", error_type));
        result
    }

    fn observe(&self, error_type: &str) {
        let labels = [self.word, error_type];
        let operations = self.metrics.operations.with_label_values(&labels);
        operations.observe(self.since.elapsed().as_secs_f64());
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        if let Some(what) = self.unless_ended {
            self.observe(what);
        }
    }
}

/// A closed set, by whose doing it is.
fn error_type(error: &Error) -> &'static str {
    match error {
        // A row that is not there is an answer.
        Error::RowNotFound => "",
        _ if is_out_of_time(error) => "deadline_exceeded",
        Error::PoolTimedOut => "timeout",
        Error::Database(told) if crate::error::is_busy(told.message()) => "timeout",
        Error::Database(told) if told.is_unique_violation() => "unique_violation",
        Error::Database(_) => "refused",
        Error::Io(_) | Error::Tls(_) | Error::PoolClosed | Error::WorkerCrashed => "unreachable",
        _ => "other",
    }
}

impl Connections {
    fn new(pool: AnyPool) -> Result<Self, prometheus::Error> {
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
    use super::super::Store;
    use crate::config;
    use crate::faults::Faults;
    use crate::testing;
    use prometheus::Registry;
    use sqlx::migrate::Migrator;

    /// One connection, and patience for a moment.
    async fn store(directory: &std::path::Path, registry: &Registry) -> Store {
        let settings = config::Store {
            url: format!("sqlite://{}", directory.join("shop.db").display()),
            connections: 1,
            wait_ms: 50,
        };
        Store::open(&settings, &Migrator::DEFAULT, Faults::off(), registry)
            .await
            .unwrap()
    }

    fn shown(registry: &Registry, series: &str) -> f64 {
        let text = telemetry::metrics::text(registry);
        let value = text.lines().find_map(|line| line.strip_prefix(series));
        let value = value.unwrap_or_else(|| panic!("no {series} in\n{text}"));
        value.trim().parse().unwrap()
    }

    #[actix_web::test]
    async fn statements_are_counted_by_their_first_word_and_by_what_came_of_them() {
        let (directory, registry) = (tempfile::tempdir().unwrap(), Registry::new());
        let store = store(directory.path(), &registry).await;
        for sql in [
            "CREATE TABLE lamp (id BIGINT PRIMARY KEY)",
            "insert into lamp values (1)",
        ] {
            sqlx::query(sql).execute(store.pool()).await.unwrap();
        }
        let twice = sqlx::query("INSERT INTO lamp VALUES (1)");
        twice.execute(store.pool()).await.unwrap_err();
        let lamps = sqlx::query("SELECT id FROM lamp");
        lamps.fetch_all(store.pool()).await.unwrap();
        let count = |operation: &str, error: &str| {
            let labels = format!(r#"error_type="{error}",operation="{operation}""#);
            shown(
                &registry,
                &format!("db_client_operation_duration_seconds_count{{{labels}}}"),
            )
        };
        assert_eq!(count("_OTHER", ""), 1.0);
        assert_eq!(count("INSERT", ""), 1.0);
        assert_eq!(count("INSERT", "unique_violation"), 1.0);
        assert_eq!(count("SELECT", ""), 1.0);
    }

    #[actix_web::test]
    async fn a_transaction_is_one_operation_and_one_that_never_happened_is_told_apart() {
        let (directory, registry) = (tempfile::tempdir().unwrap(), Registry::new());
        let store = store(directory.path(), &registry).await;
        store.write().await.unwrap().commit().await.unwrap();
        drop(store.write().await.unwrap());
        let count = |error: &str| {
            let labels = format!(r#"error_type="{error}",operation="TRANSACTION""#);
            shown(
                &registry,
                &format!("db_client_operation_duration_seconds_count{{{labels}}}"),
            )
        };
        assert_eq!((count(""), count("rolled_back")), (1.0, 1.0));
    }

    #[actix_web::test]
    async fn a_connection_in_use_is_seen_and_so_is_who_waits_for_it_in_vain() {
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
}
