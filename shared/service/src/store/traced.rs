//! What a trace shows of the database: one span for each statement, by the database conventions, and one around
//! each transaction that may write, from asking for its turn to its end.
//!
//! A wait for the turn or a connection is a span of its own, so that it can be told from the database's time;
//! a fault on demand that makes the database slow is the database's. Where nothing is sampled there is no span,
//! and no statement begins a trace: what reconcilers and sweeps do for no request is for the metrics.

use super::metrics::{Awaited, error_type};
use super::words;
use sqlx::Error;
use telemetry::span::{Span, Wait};

/// Around a transaction that may write.
const TRANSACTION: &str = "TRANSACTION";

/// The span of something asked of the database. Dropped without [`Traced::ended`] nobody waited for its end, which
/// fails no span.
#[derive(Debug)]
pub(super) struct Traced {
    span: Span,
    system: &'static str,
    /// What it is when it is dropped.
    unless_ended: Option<&'static str>,
}

impl Traced {
    /// A statement begins.
    pub(super) fn statement(system: &'static str, sql: &str) -> Self {
        Self::said(&Span::current(), system, sql)
    }

    /// A transaction is asked for.
    pub(super) fn transaction(system: &'static str) -> Self {
        let span = telemetry::span::internal(TRANSACTION);
        span.attribute("db.system.name", system);
        Self::new(span, system, "rolled_back")
    }

    /// A statement begins inside this transaction.
    pub(super) fn inside(&self, sql: &str) -> Self {
        Self::said(&self.span, self.system, sql)
    }

    /// This transaction begins or ends.
    pub(super) fn bound(&self, operation: &'static str) -> Self {
        let span = self.span.database(self.system, operation, None);
        Self::new(span, self.system, "cancelled")
    }

    /// For what happens inside it.
    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    /// Ends it by what came of it, and gives that on.
    pub(super) fn ended<T>(mut self, result: Result<T, Error>) -> Result<T, Error> {
        self.ended_as(result.as_ref().err().map_or("", error_type));
        result
    }

    /// It has ended with one of the error types of the metrics, or none.
    pub(super) fn ended_as(&mut self, error_type: &'static str) {
        self.unless_ended = None;
        if !error_type.is_empty() {
            self.span.fail(error_type);
        }
    }

    fn said(parent: &Span, system: &'static str, sql: &str) -> Self {
        // Where nobody sees the span, nobody looks for its words.
        let span = match parent.is_sampled() {
            true => {
                let operation = words::operation(sql);
                parent.database(system, operation, words::table(operation, sql))
            }
            false => Span::none(),
        };
        Self::new(span, system, "cancelled")
    }

    fn new(span: Span, system: &'static str, unless_ended: &'static str) -> Self {
        Self {
            span,
            system,
            unless_ended: Some(unless_ended),
        }
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        if let Some(what) = self.unless_ended {
            self.span.attribute("error.type", what);
        }
    }
}

/// A wait begins inside this span, for something of which there is a limited number.
pub(super) fn wait(inside: &Span, awaited: Awaited) -> Wait {
    inside.wait(match awaited {
        Awaited::Connection => "wait for connection",
        Awaited::Turn => "wait for turn",
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use crate::config;
    use crate::faults::{Effect, Fault, Faults, Only};
    use crate::store::Store;
    use prometheus::Registry;
    use sqlx::migrate::Migrator;
    use std::path::Path;
    use std::time::{Duration, SystemTime};
    use telemetry::testing::{Ended, Trace, ended_as};
    use tokio::time::sleep;

    const SLOW: Duration = Duration::from_millis(30);

    /// One connection to a table that nobody else has, and faults on demand.
    async fn store(directory: &Path, table: &str) -> (Store, Faults) {
        let settings = config::Store {
            url: format!("sqlite://{}", directory.join("shop.db").display()),
            connections: 1,
            wait_ms: 5_000,
        };
        let (faults, registry) = (config::Faults { enabled: true }, Registry::new());
        let faults = Faults::new(&faults, true, &registry).unwrap();
        let opening = Store::open(&settings, &Migrator::DEFAULT, faults.clone(), &registry);
        let store = opening.await.unwrap();
        let table = format!("CREATE TABLE {table} (id BIGINT PRIMARY KEY)");
        said(&store, &table).await.unwrap();
        (store, faults)
    }

    fn make_slow(faults: &Faults) {
        let fault = Fault {
            effect: Effect::Database { wait: SLOW },
            percent: 100,
            only: Only::default(),
            until: SystemTime::now() + Duration::from_secs(60),
        };
        faults.add(fault).unwrap();
    }

    async fn said(store: &Store, sql: &str) -> Result<(), sqlx::Error> {
        let query = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned()));
        query.execute(store.pool()).await.map(|_| ())
    }

    /// Without waits: on a busy machine there may be some.
    fn asked(trace: &Trace) -> Vec<Ended> {
        let spans = trace.spans().into_iter();
        spans.filter(Ended::is_client).collect()
    }

    #[actix_web::test]
    async fn a_statement_is_a_span_that_says_what_came_of_it() {
        let directory = tempfile::tempdir().unwrap();
        let (store, _) = store(directory.path(), "lamp").await;
        let trace = Trace::sampled();
        let twice = async {
            for expected in [true, false] {
                let lamp = said(&store, "INSERT INTO lamp VALUES (1)").await;
                assert_eq!(lamp.is_ok(), expected);
            }
            said(&store, "SELECT id FROM lamp").await.unwrap();
        };
        trace.run(twice).await;
        let spans = asked(&trace);
        let names: Vec<&str> = spans.iter().map(|span| span.name()).collect();
        assert_eq!(names, ["INSERT lamp", "INSERT lamp", "SELECT lamp"]);
        for span in &spans {
            assert_eq!(span.said("db.system.name").as_deref(), Some("sqlite"));
            assert_eq!(span.said("db.collection.name").as_deref(), Some("lamp"));
        }
        let errors = [None, Some("unique_violation".to_owned()), None];
        for (span, error) in spans.iter().zip(errors) {
            assert_eq!(span.failed(), error.is_some());
            assert_eq!(span.said("error.type"), error);
        }
    }

    #[actix_web::test]
    async fn what_is_not_sampled_or_done_for_no_request_has_no_span() {
        let directory = tempfile::tempdir().unwrap();
        let (store, _) = store(directory.path(), "hermit").await;
        let trace = Trace::unsampled();
        let work = async || {
            said(&store, "SELECT id FROM hermit").await.unwrap();
            let mut write = store.write().await.unwrap();
            let inside = sqlx::query("DELETE FROM hermit").execute(&mut *write);
            inside.await.unwrap();
            write.commit().await.unwrap();
        };
        trace.run(work()).await;
        work().await;
        assert!(trace.spans().is_empty());
        for name in ["SELECT hermit", "DELETE hermit"] {
            assert!(ended_as(name).is_empty(), "{name} began a trace");
        }
    }

    #[actix_web::test]
    async fn a_transaction_is_one_span_around_its_statements() {
        let directory = tempfile::tempdir().unwrap();
        let (store, _) = store(directory.path(), "wick").await;
        let trace = Trace::sampled();
        let write = async {
            let mut write = store.write().await.unwrap();
            for sql in ["INSERT INTO wick VALUES (1)", "INSERT INTO wick VALUES (1)"] {
                let _second_fails = sqlx::query(sql).execute(&mut *write).await;
            }
            let row = sqlx::query("SELECT id FROM wick").fetch_optional(&mut *write);
            assert!(row.await.unwrap().is_some());
            write.commit().await.unwrap();
        };
        trace.run(write).await;
        let whole = trace.span("TRANSACTION");
        assert_eq!((whole.is_client(), whole.failed()), (false, false));
        let spans = asked(&trace);
        let inside = spans.iter().filter(|span| span.is_child_of(&whole));
        let inside: Vec<_> = inside.map(|span| (span.name(), span.failed())).collect();
        let expected = [
            ("BEGIN", false),
            ("INSERT wick", false),
            ("INSERT wick", true),
            ("SELECT wick", false),
            ("COMMIT", false),
        ];
        assert_eq!(inside, expected);
    }

    #[actix_web::test]
    async fn a_transaction_that_was_given_up_says_so_and_one_that_the_database_failed_why() {
        let directory = tempfile::tempdir().unwrap();
        let (store, _) = store(directory.path(), "snuffer").await;
        let (given_up, failed) = (Trace::sampled(), Trace::sampled());
        given_up
            .run(async { drop(store.write().await.unwrap()) })
            .await;
        let write = async {
            let mut write = store.write().await.unwrap();
            let nonsense = sqlx::query("SELECT wax FROM snuffer").fetch_optional(&mut *write);
            assert!(nonsense.await.is_err(), "there is no such column");
        };
        failed.run(write).await;
        for (trace, error, fails) in [(given_up, "rolled_back", false), (failed, "refused", true)] {
            let whole = trace.span("TRANSACTION");
            assert_eq!(whole.said("error.type").as_deref(), Some(error));
            assert_eq!(whole.failed(), fails, "{error}");
        }
    }

    #[actix_web::test]
    async fn a_slow_database_is_slow_in_its_own_spans() {
        let directory = tempfile::tempdir().unwrap();
        let (store, faults) = store(directory.path(), "snail").await;
        make_slow(&faults);
        let trace = Trace::sampled();
        let work = async {
            said(&store, "SELECT id FROM snail").await.unwrap();
            store.write().await.unwrap().commit().await.unwrap();
        };
        trace.run(work).await;
        for name in ["SELECT snail", "BEGIN"] {
            assert!(trace.span(name).took() >= SLOW, "{name}");
        }
        assert!(trace.span("BEGIN").is_child_of(&trace.span("TRANSACTION")));
    }

    #[actix_web::test]
    async fn a_wait_for_the_turn_or_a_connection_is_told_apart_from_the_database() {
        let directory = tempfile::tempdir().unwrap();
        let (store, _) = store(directory.path(), "queue").await;
        let (writes, reads) = (Trace::sampled(), Trace::sampled());
        let held = store.write().await.unwrap();
        let writing = async { store.write().await.unwrap().commit().await.unwrap() };
        let reading = async { said(&store, "SELECT id FROM queue").await.unwrap() };
        let release = async {
            sleep(SLOW).await;
            drop(held);
        };
        tokio::join!(writes.run(writing), reads.run(reading), release);
        let turn = writes.span("wait for turn");
        assert!(turn.took() >= SLOW && turn.is_child_of(&writes.span("TRANSACTION")));
        let connection = reads.span("wait for connection");
        assert!(connection.took() >= SLOW && !connection.is_client());
        assert!(reads.span("SELECT queue").took() < connection.took());
    }
}
