//! The database of one service: an embedded SQLite file by default, PostgreSQL by URL.
//!
//! Both speak the same SQL here (`$n`, TEXT, BIGINT). A write on SQLite takes its lock first
//! (`BEGIN IMMEDIATE`), because a read that becomes a write inside a transaction fails at once
//! instead of waiting; and the writers of one process take turns in the order in which they came,
//! because SQLite's own wait is a lottery that somebody loses under load. How it is opened is in
//! `open.rs`; how long anything here may take, in `patience.rs`: `store.wait_ms`, and never longer
//! than the request for which it is done; `transaction.rs` is for a database that does not answer at all.
//! What is counted is in `metrics.rs`, what traces show in `traced.rs`.

mod dialect;
mod lock;
mod metrics;
mod open;
mod patience;
mod statements;
mod traced;
mod transaction;
mod words;
mod write;

pub(crate) use patience::is_out_of_time;
pub use statements::Statements;
pub use write::Write;

use crate::faults::{Faults, Kind};
use dialect::Dialect;
use metrics::{Awaited, Metrics, Operation};
use patience::Patience;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyPool};
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use telemetry::span::Span;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use traced::Traced;
use transaction::Transaction;

/// What the database may take for an answer in a transaction beyond `store.wait_ms`, the most that it is told to
/// wait for a lock or work on a statement: it gives up by itself by then, and what has still not answered
/// is frozen or gone.
const GRACE: Duration = Duration::from_secs(1);

/// Between two tries to hold one more connection of a pool that is closing.
const HOLD_AGAIN: Duration = Duration::from_millis(100);

/// A pool of connections to the service's own database; clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    pool: AnyPool,
    dialect: Dialect,
    writers: Arc<Semaphore>,
    wait: Duration,
    faults: Faults,
    metrics: Metrics,
}

impl Store {
    /// For single statements, each in a transaction of its own.
    pub fn pool(&self) -> Statements<'_> {
        Statements::new(self)
    }

    /// Begins a transaction that may write, once it is this caller's turn.
    ///
    /// # Errors
    /// [`sqlx::Error::PoolTimedOut`] when turn or connection did not come in `store.wait_ms`; an error
    /// that becomes 504 `deadline_exceeded` when they did not come in the time that the request has left.
    pub async fn write(&self) -> Result<Write, sqlx::Error> {
        let patience = self.patience();
        let traced = Traced::transaction(self.dialect.system());
        let (turn, connection) = match self.admit(&patience, traced.span()).await {
            Ok(admitted) => admitted,
            Err(error) => return traced.ended(Err(error)),
        };
        let operation = self.metrics.operations.transaction(traced);
        let beginning = operation.traced().bound("BEGIN");
        let begun = async {
            let begin = self.dialect.begin(patience.left()?);
            let begun = Transaction::begin(connection, turn, begin, self.wait + GRACE).await;
            let begun = begun.map_err(|error| patience.blame(error))?;
            self.slow(&patience).await?;
            Ok(begun)
        };
        match beginning.ended(begun.await) {
            Ok(transaction) => Ok(Write::new(transaction, operation)),
            Err(error) => operation.ended(Err(error)),
        }
    }

    /// `sqlite` or `postgresql`, as the database conventions of traces name it.
    pub fn system(&self) -> &'static str {
        self.dialect.system()
    }

    /// A connection for one statement, told how long that may take; the statement begins now.
    async fn connection(
        &self,
        patience: &Patience,
        sql: &str,
    ) -> Result<(PoolConnection<Any>, Operation), sqlx::Error> {
        let mut connection = self.acquire(patience, &Span::current()).await?;
        let traced = Traced::statement(self.dialect.system(), sql);
        let operation = self.metrics.operations.statement(sql, traced);
        let told = async {
            if let Some(limit) = self.dialect.limit(sql, patience.left()?) {
                sqlx::raw_sql(limit).execute(&mut *connection).await?;
            }
            self.slow(patience).await
        };
        match told.await {
            Ok(()) => Ok((connection, operation)),
            Err(error) => operation.ended(Err(error)),
        }
    }

    /// The turn to write, then a connection.
    async fn admit(
        &self,
        patience: &Patience,
        inside: &Span,
    ) -> Result<(OwnedSemaphorePermit, PoolConnection<Any>), sqlx::Error> {
        let turn = async {
            let turn = self.writers.clone().acquire_owned().await;
            turn.map_err(|_| sqlx::Error::PoolClosed)
        };
        let turn = self.wait(patience, Awaited::Turn, inside, turn).await?;
        Ok((turn, self.acquire(patience, inside).await?))
    }

    async fn acquire(
        &self,
        patience: &Patience,
        inside: &Span,
    ) -> Result<PoolConnection<Any>, sqlx::Error> {
        let coming = self.pool.acquire();
        self.wait(patience, Awaited::Connection, inside, coming)
            .await
    }

    /// Awaits what is counted, and traced inside that span, as awaited, as long as there is patience.
    async fn wait<T>(
        &self,
        patience: &Patience,
        awaited: Awaited,
        inside: &Span,
        coming: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        let _traced = traced::wait(inside, awaited);
        let waiting = self.metrics.waits.begin(awaited);
        waiting.ended(patience.wait(coming).await)
    }

    fn patience(&self) -> Patience {
        Patience::now(self.wait)
    }

    /// What a fault on demand makes of the database.
    async fn slow(&self, patience: &Patience) -> Result<(), sqlx::Error> {
        let Some(wait) = self.faults.slow_database() else {
            return Ok(());
        };
        self.faults.injected(Kind::Database);
        patience.sleep(wait).await
    }

    /// Takes every connection that there is, and gives them back when dropped.
    pub(crate) async fn hold_connections(&self) -> Infallible {
        let mut held = Vec::new();
        loop {
            match self.pool.acquire().await {
                Ok(connection) => held.push(connection),
                Err(sqlx::Error::PoolTimedOut) => {}
                Err(_) => sleep(HOLD_AGAIN).await,
            }
        }
    }

    /// Waits for what runs and closes every connection.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::lock::{LOCK_POLL, hold};
    use super::*;
    use crate::config;
    use crate::testing;
    use sqlx::migrate::Migrator;
    use sqlx::migrate::{Migration, MigrationType};
    use std::borrow::Cow;
    use tokio::time::timeout;

    fn migrations() -> &'static Migrator {
        let mut migrator = Migrator::DEFAULT;
        migrator.migrations = Cow::Owned(vec![Migration::new(
            1,
            Cow::Borrowed("counter"),
            MigrationType::Simple,
            sqlx::AssertSqlSafe(
                "CREATE TABLE counter (n BIGINT NOT NULL); INSERT INTO counter VALUES (0)",
            )
            .into_sql_str(),
            false,
        )]);
        Box::leak(Box::new(migrator))
    }

    use sqlx::SqlSafeStr;

    async fn add_one(store: &Store) {
        let mut write = store.write().await.unwrap();
        let (n,): (i64,) = sqlx::query_as("SELECT n FROM counter")
            .fetch_one(&mut *write)
            .await
            .unwrap();
        sqlx::query("UPDATE counter SET n = $1")
            .bind(n + 1)
            .execute(&mut *write)
            .await
            .unwrap();
        write.commit().await.unwrap();
    }

    #[actix_web::test]
    async fn two_processes_that_start_at_once_migrate_once_and_lose_no_write() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/shop.db");
        let (one, two) = tokio::join!(
            testing::store(migrations(), &path),
            testing::store(migrations(), &path)
        );
        let writers = (0..20)
            .map(|turn| if turn % 2 == 0 { &one } else { &two })
            .map(add_one);
        futures_util::future::join_all(writers).await;
        let (n,): (i64,) = sqlx::query_as("SELECT n FROM counter")
            .fetch_one(one.pool())
            .await
            .unwrap();
        assert_eq!(n, 20);
    }

    #[actix_web::test]
    async fn whoever_leaves_while_a_transaction_begins_leaves_nothing_begun() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("shop.db");
        let store = testing::store(migrations(), &path).await;
        for nth in 0..100_u32 {
            // Dropped a little later each time: before the turn, the connection, the beginning.
            let _left = timeout(Duration::from_micros(u64::from(nth) * 5), store.write()).await;
        }
        add_one(&store).await;
        let other = testing::store(migrations(), &path).await;
        add_one(&other).await;
    }

    #[actix_web::test]
    async fn whoever_waits_for_another_s_migration_can_be_told_to_stop() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("shop.db");
        let theirs = hold(path.with_extension("lock")).await.unwrap();
        let waiting = testing::store(migrations(), &path);
        let waited = timeout(LOCK_POLL * 3, waiting).await;
        assert!(waited.is_err(), "the lock is held");
        drop(theirs);
        let store = testing::store(migrations(), &path).await;
        add_one(&store).await;
    }

    #[actix_web::test]
    async fn a_directory_that_cannot_be_written_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        let settings = config::Store {
            url: format!("sqlite://{}/shop.db", file.display()),
            connections: 1,
            wait_ms: 100,
        };
        let error = Store::open(
            &settings,
            migrations(),
            Faults::off(),
            &prometheus::Registry::new(),
        )
        .await
        .unwrap_err();
        assert!(error.to_string().contains("store.url = "), "{error}");
        assert_eq!(error.code(), 69);
    }
}
