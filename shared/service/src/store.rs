//! The database of one service: an embedded SQLite file by default, PostgreSQL by URL.
//!
//! Both speak the same SQL here (`$n`, TEXT, BIGINT). A write on SQLite takes its lock first
//! (`BEGIN IMMEDIATE`), because a read that becomes a write inside a transaction fails at once
//! instead of waiting; and the writers of one process take turns in the order in which they came,
//! because SQLite's own wait is a lottery that somebody loses under load. Migrations run one process at a time: a file lock beside the SQLite file
//! (sqlx has none), sqlx's own advisory lock on PostgreSQL.

use crate::StartError;
use crate::config;
use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::migrate::Migrator;
use sqlx::{Any, AnyConnection, AnyPool, Executor, Transaction};
use std::fs::File;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// A pool of connections to the service's own database; clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    pool: AnyPool,
    begin: &'static str,
    system: &'static str,
    writers: Arc<Semaphore>,
    wait: Duration,
}

/// A transaction that may write; dropped without [`Write::commit`], it never happened.
#[derive(Debug)]
pub struct Write {
    transaction: Transaction<'static, Any>,
    _turn: OwnedSemaphorePermit,
}

impl Store {
    /// Opens the database and brings its schema up to date.
    pub(crate) async fn open(
        settings: &config::Store,
        migrations: &Migrator,
    ) -> Result<Self, StartError> {
        install_default_drivers();
        let store = match settings.url.strip_prefix("sqlite://") {
            Some(path) => Self::sqlite(Path::new(path), settings, migrations).await,
            None => Self::postgres(settings, migrations).await,
        };
        store.map_err(|error| {
            let scheme_and_path = settings.url.split('@').next_back().unwrap_or_default();
            StartError::new(format!("store.url = {scheme_and_path}: {error}"))
        })
    }

    async fn sqlite(
        path: &Path,
        settings: &config::Store,
        migrations: &Migrator,
    ) -> Result<Self, sqlx::Error> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let wait = settings.wait_ms;
        let lock = hold(path.with_extension("lock")).await?;
        let pool = options(settings)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    let pragmas = format!(
                        "PRAGMA busy_timeout = {wait}; PRAGMA journal_mode = WAL; \
                         PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -512"
                    );
                    connection.execute(sqlx::AssertSqlSafe(pragmas)).await.map(|_| ())
                })
            })
            .connect(&format!("sqlite://{}?mode=rwc", path.display()))
            .await?;
        migrations.run(&pool).await?;
        drop(lock);
        Ok(Self {
            pool,
            begin: "BEGIN IMMEDIATE",
            system: "sqlite",
            writers: Arc::new(Semaphore::new(1)),
            wait: Duration::from_millis(wait),
        })
    }

    async fn postgres(
        settings: &config::Store,
        migrations: &Migrator,
    ) -> Result<Self, sqlx::Error> {
        let wait = settings.wait_ms;
        let pool = options(settings)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    let limit = format!("SET lock_timeout = {wait}");
                    connection
                        .execute(sqlx::AssertSqlSafe(limit))
                        .await
                        .map(|_| ())
                })
            })
            .connect(&settings.url)
            .await?;
        migrations.run(&pool).await?;
        Ok(Self {
            pool,
            begin: "BEGIN",
            system: "postgresql",
            writers: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
            wait: Duration::from_millis(wait),
        })
    }

    /// For reads.
    pub fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// Begins a transaction that may write, once it is this caller's turn.
    ///
    /// # Errors
    /// [`sqlx::Error::PoolTimedOut`] when the turn did not come in `store.wait_ms`.
    pub async fn write(&self) -> Result<Write, sqlx::Error> {
        let turn = timeout(self.wait, self.writers.clone().acquire_owned()).await;
        let turn = turn
            .ok()
            .and_then(Result::ok)
            .ok_or(sqlx::Error::PoolTimedOut)?;
        let transaction = self.pool.begin_with(self.begin).await?;
        Ok(Write {
            transaction,
            _turn: turn,
        })
    }

    /// `sqlite` or `postgresql`, as the database conventions of traces name it.
    pub fn system(&self) -> &'static str {
        self.system
    }

    /// Waits for what runs and closes every connection.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

impl Write {
    /// Makes it so.
    ///
    /// # Errors
    /// What the database says; then nothing was written.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        self.transaction.commit().await
    }
}

impl Deref for Write {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.transaction
    }
}

impl DerefMut for Write {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.transaction
    }
}

fn options(settings: &config::Store) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(settings.connections)
        .min_connections(1)
        .acquire_timeout(Duration::from_millis(settings.wait_ms))
        .test_before_acquire(false)
}

/// Waits, off the runtime's thread, until no other process migrates this file.
async fn hold(path: PathBuf) -> Result<File, std::io::Error> {
    tokio::task::spawn_blocking(move || {
        let file = File::create(path)?;
        file.lock()?;
        Ok(file)
    })
    .await
    .map_err(std::io::Error::other)?
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing;
    use sqlx::migrate::{Migration, MigrationType};
    use std::borrow::Cow;

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
    async fn a_directory_that_cannot_be_written_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        let settings = config::Store {
            url: format!("sqlite://{}/shop.db", file.display()),
            connections: 1,
            wait_ms: 100,
        };
        let error = Store::open(&settings, migrations()).await.unwrap_err();
        assert!(error.to_string().contains("store.url = "), "{error}");
        assert_eq!(error.code(), 69);
    }
}
