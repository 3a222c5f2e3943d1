//! Opens the database and brings its schema up to date, one process at a time: a file lock beside the
//! SQLite file (sqlx has none), sqlx's own advisory lock on PostgreSQL.

use super::Store;
use super::dialect::Dialect;
use super::lock::hold;
use super::metrics::Metrics;
use crate::StartError;
use crate::config;
use crate::faults::Faults;
use prometheus::Registry;
use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::migrate::Migrator;
use sqlx::{AnyPool, Executor};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

impl Store {
    /// Opens the database and brings its schema up to date.
    pub(crate) async fn open(
        settings: &config::Store,
        migrations: &Migrator,
        faults: Faults,
        registry: &Registry,
    ) -> Result<Self, StartError> {
        install_default_drivers();
        let (dialect, writers, opened) = match settings.url.strip_prefix("sqlite://") {
            Some(path) => {
                let opened = sqlite(Path::new(path), settings, migrations).await;
                (Dialect::Sqlite, 1, opened)
            }
            None => {
                let opened = postgres(settings, migrations).await;
                (Dialect::Postgres, Semaphore::MAX_PERMITS, opened)
            }
        };
        let pool = opened.map_err(|error| {
            let scheme_and_path = settings.url.split('@').next_back().unwrap_or_default();
            StartError::new(format!("store.url = {scheme_and_path}: {error}"))
        })?;
        Ok(Self {
            metrics: Metrics::register(registry, &pool)?,
            pool,
            dialect,
            writers: Arc::new(Semaphore::new(writers)),
            wait: Duration::from_millis(settings.wait_ms),
            faults,
        })
    }
}

async fn sqlite(
    path: &Path,
    settings: &config::Store,
    migrations: &Migrator,
) -> Result<AnyPool, sqlx::Error> {
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
    Ok(pool)
}

async fn postgres(settings: &config::Store, migrations: &Migrator) -> Result<AnyPool, sqlx::Error> {
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
    Ok(pool)
}

fn options(settings: &config::Store) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(settings.connections)
        .min_connections(1)
        .acquire_timeout(Duration::from_millis(settings.wait_ms))
        .test_before_acquire(false)
}
