//! How long the database took to answer, and what it answered.
//!
//! Operations have the database conventions' name and the first word of the SQL; a transaction that may write counts as one,
//! from its begin to its commit, with what the service does in between. Nothing of a statement but that word is a label.
//! Its span ends with it, with the same error.
//! A transaction that is given up counts by the first error that the database gave inside it, and as `rolled_back` where
//! there was none: then it was the service that thought better of it, or whoever waited for it left.

use super::histogram;
use crate::store::traced::Traced;
use crate::store::{is_out_of_time, words};
use prometheus::{HistogramVec, Registry};
use sqlx::Error;
use std::time::Instant;

/// All statements from begin to commit.
const TRANSACTION: &str = "TRANSACTION";

/// One per store; clones share it.
#[derive(Debug, Clone)]
pub(in crate::store) struct Operations {
    /// Statements and transactions, until the database had answered.
    durations: HistogramVec,
}

/// An operation that runs. Dropped without [`Operation::ended`], nobody waited for its end.
#[derive(Debug)]
pub(in crate::store) struct Operation {
    word: &'static str,
    since: Instant,
    /// What it is when it is dropped.
    unless_ended: Option<&'static str>,
    /// The first error inside a transaction; those that follow are often its consequences.
    failed: Option<&'static str>,
    operations: Operations,
    traced: Traced,
}

impl Operations {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let durations = histogram(
            registry,
            "db_client_operation_duration_seconds",
            "Statements and transactions, until the database had answered.",
            &["operation", "error_type"],
        )?;
        Ok(Self { durations })
    }

    /// A statement begins.
    pub(in crate::store) fn statement(&self, sql: &str, traced: Traced) -> Operation {
        self.operation(words::operation(sql), "cancelled", traced)
    }

    /// A transaction that may write begins.
    pub(in crate::store) fn transaction(&self, traced: Traced) -> Operation {
        self.operation(TRANSACTION, "rolled_back", traced)
    }

    fn operation(
        &self,
        word: &'static str,
        unless_ended: &'static str,
        traced: Traced,
    ) -> Operation {
        Operation {
            word,
            since: Instant::now(),
            unless_ended: Some(unless_ended),
            failed: None,
            operations: self.clone(),
            traced,
        }
    }
}

impl Operation {
    /// Counts it by what came of it, and gives that on.
    pub(in crate::store) fn ended<T>(mut self, result: Result<T, Error>) -> Result<T, Error> {
        self.unless_ended = None;
        let error_type = result.as_ref().err().map_or("", error_type);
        self.observe(error_type);
        self.traced.ended_as(error_type);
        result
    }

    /// A statement inside it went wrong, which is what it counts as unless it ends well all the same.
    pub(in crate::store) fn failed(&mut self, error: &Error) {
        self.failed.get_or_insert(error_type(error));
    }

    /// Its span, for what happens inside it.
    pub(in crate::store) fn traced(&self) -> &Traced {
        &self.traced
    }

    fn observe(&self, error_type: &str) {
        let labels = [self.word, error_type];
        let durations = self.operations.durations.with_label_values(&labels);
        durations.observe(self.since.elapsed().as_secs_f64());
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        let Some(what) = self.unless_ended else {
            return;
        };
        self.observe(self.failed.unwrap_or(what));
        if let Some(error_type) = self.failed {
            self.traced.ended_as(error_type);
        }
    }
}

/// A closed set, by whose doing it is.
pub(in crate::store) fn error_type(error: &Error) -> &'static str {
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::tests::{shown, store};
    use super::*;

    fn count(registry: &Registry, operation: &str, error: &str) -> f64 {
        let labels = format!(r#"error_type="{error}",operation="{operation}""#);
        let series = format!("db_client_operation_duration_seconds_count{{{labels}}}");
        shown(registry, &series)
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
        let count = |operation: &str, error: &str| count(&registry, operation, error);
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
        let count = |error: &str| count(&registry, TRANSACTION, error);
        assert_eq!((count(""), count("rolled_back")), (1.0, 1.0));
    }

    #[actix_web::test]
    async fn a_transaction_that_the_database_failed_is_not_one_that_was_given_up() {
        let (directory, registry) = (tempfile::tempdir().unwrap(), Registry::new());
        let store = store(directory.path(), &registry).await;
        let table = sqlx::query("CREATE TABLE lamp (id BIGINT PRIMARY KEY)");
        table.execute(store.pool()).await.unwrap();
        let mut write = store.write().await.unwrap();
        let nobody = sqlx::query("SELECT id FROM lamp").fetch_one(&mut *write);
        assert!(nobody.await.is_err(), "no row is an answer");
        drop(write);
        let mut write = store.write().await.unwrap();
        for expected in [true, false] {
            let lamp = sqlx::query("INSERT INTO lamp VALUES (1)");
            assert_eq!(lamp.execute(&mut *write).await.is_ok(), expected);
        }
        let nonsense = sqlx::query("SELECT wick FROM lamp").fetch_optional(&mut *write);
        assert!(nonsense.await.is_err(), "there is no such column");
        drop(write);
        let count = |error: &str| count(&registry, TRANSACTION, error);
        assert_eq!(
            (count("rolled_back"), count("unique_violation")),
            (1.0, 1.0)
        );
    }
}
