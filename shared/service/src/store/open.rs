//! Opens the database and brings its schema up to date, one process at a time: a file lock beside the
//! SQLite file (sqlx has none), sqlx's own advisory lock on PostgreSQL.

use super::Store;
use super::dialect::Dialect;
use super::lock::hold;
use crate::StartError;
use crate::config;
use crate::faults::Faults;
use sqlx::Executor;
use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::migrate::Migrator;
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
    ) -> Result<Self, StartError> {
        install_default_drivers();
        let store = match settings.url.strip_prefix("sqlite://") {
            Some(path) => Self::sqlite(Path::new(path), settings, migrations, faults).await,
            None => Self::postgres(settings, migrations, faults).await,
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
        faults: Faults,
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
            dialect: Dialect::Sqlite,
            writers: Arc::new(Semaphore::new(1)),
            wait: Duration::from_millis(wait),
            faults,
        })
    }

    async fn postgres(
        settings: &config::Store,
        migrations: &Migrator,
        faults: Faults,
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
            dialect: Dialect::Postgres,
            writers: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
            wait: Duration::from_millis(wait),
            faults,
        })
    }
}

fn options(settings: &config::Store) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(settings.connections)
        .min_connections(1)
        .acquire_timeout(Duration::from_millis(settings.wait_ms))
        .test_before_acquire(false)
}
