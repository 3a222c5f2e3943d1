//! A transaction on a connection of the pool: either it is over, or its connection is closed.
//!
//! sqlx's own gives its connection back whatever came of it. On PostgreSQL one that was left while it
//! began is inside a transaction when the next one uses it; and a server that is frozen keeps the
//! connection, the turn to write and the task that waits for its answer for as long as it likes. Here
//! beginning and rolling back go on when nobody waits for them any more, and like the commit for a limited
//! time; a connection that has not answered by then is closed, and the pool may open another.

use crate::error::is_busy;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, Error, SqlSafeStr, SqlStr};
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

/// Dropped before [`Transaction::commit`] has ended it, it is rolled back.
#[derive(Debug)]
pub(super) struct Transaction {
    /// Its connection and the turn to write, until it is over.
    open: Option<(PoolConnection<Any>, OwnedSemaphorePermit)>,
    limit: Duration,
    /// Where it is rolled back: the last requests of a worker are dropped outside of its runtime.
    runtime: Handle,
}

impl Transaction {
    /// Begins with these words, whether or not anybody still waits for it; `limit` is the most that the
    /// database may take for an answer.
    pub(super) async fn begin(
        mut connection: PoolConnection<Any>,
        turn: OwnedSemaphorePermit,
        words: SqlStr,
        limit: Duration,
    ) -> Result<Self, Error> {
        let begun = tokio::spawn(async move {
            say(&mut connection, words, limit).await?;
            // Rolled back when nobody takes it.
            Ok(Self {
                open: Some((connection, turn)),
                limit,
                runtime: Handle::current(),
            })
        });
        begun.await.unwrap_or(Err(Error::WorkerCrashed))
    }

    /// The most that the database may take for an answer.
    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    pub(super) async fn commit(mut self) -> Result<(), Error> {
        let (connection, _turn) = self.open.as_mut().expect(OPEN);
        say(connection, "COMMIT".into_sql_str(), self.limit).await?;
        self.open = None;
        Ok(())
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let Some((mut connection, turn)) = self.open.take() else {
            return;
        };
        let limit = self.limit;
        self.runtime.spawn(async move {
            // An error has closed the connection, which ends the transaction as well.
            let _said = say(&mut connection, "ROLLBACK".into_sql_str(), limit).await;
            drop((connection, turn));
        });
    }
}

/// Begins, commits or rolls back. Where that is not known to have happened, or not to have, the connection is
/// closed when it is dropped.
async fn say(
    connection: &mut PoolConnection<Any>,
    words: SqlStr,
    limit: Duration,
) -> Result<(), Error> {
    match within(limit, sqlx::raw_sql(words).execute(&mut **connection)).await {
        Ok(_) => Ok(()),
        // SQLite's lock is somebody else's: nothing has begun.
        Err(Error::Database(told)) if is_busy(told.message()) => Err(Error::Database(told)),
        Err(error) => {
            connection.close_on_drop();
            Err(error)
        }
    }
}

/// The database's answer. It was told to give up before that: one that does not answer is frozen or gone, and
/// whoever waits for it may hold what others wait for.
pub(super) async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    timeout(limit, answer)
        .await
        .unwrap_or(Err(Error::PoolTimedOut))
}

const OPEN: &str = "a transaction is open until it is committed or dropped";

impl Deref for Transaction {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.open.as_ref().expect(OPEN).0
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.open.as_mut().expect(OPEN).0
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing;
    use sqlx::AnyPool;
    use sqlx::any::{AnyPoolOptions, install_default_drivers};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::Semaphore;

    const SOON: Duration = Duration::from_millis(20);
    const NOT_HERE: Duration = Duration::from_secs(60);

    /// A PostgreSQL at the wire: it lets everybody in, and says yes while it is not frozen.
    #[derive(Default)]
    struct Server {
        frozen: AtomicBool,
        closed: AtomicUsize,
    }

    impl Server {
        async fn start() -> (Arc<Self>, AnyPool) {
            install_default_drivers();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let server = Arc::new(Self::default());
            let serving = server.clone();
            tokio::spawn(async move {
                while let Ok((client, _)) = listener.accept().await {
                    tokio::spawn(serving.clone().talk(client));
                }
            });
            let url = format!("postgres://lamp@{address}/lamp?sslmode=disable");
            let pool = AnyPoolOptions::new()
                .max_connections(1)
                .test_before_acquire(false);
            (server, pool.connect_lazy(&url).unwrap())
        }

        async fn talk(self: Arc<Self>, mut client: TcpStream) {
            let mut heard = [0; 1024];
            let mut welcome = &b"R\0\0\0\x08\0\0\0\0"[..];
            while client.read(&mut heard).await.is_ok_and(|bytes| bytes > 0) {
                if self.frozen.load(Ordering::Relaxed) {
                    continue;
                }
                // Authenticated the first time, then done; and ready for a query.
                client.write_all(welcome).await.unwrap();
                client.write_all(b"Z\0\0\0\x05I").await.unwrap();
                welcome = b"";
            }
            self.closed.fetch_add(1, Ordering::Relaxed);
        }

        fn freeze(&self, frozen: bool) {
            self.frozen.store(frozen, Ordering::Relaxed);
        }

        async fn closes(&self, connections: usize) {
            let closed = || self.closed.load(Ordering::Relaxed) == connections;
            testing::until("a closed connection", closed).await;
        }
    }

    async fn begin(
        pool: &AnyPool,
        turns: &Arc<Semaphore>,
        limit: Duration,
    ) -> Result<Transaction, Error> {
        let turn = turns.clone().acquire_owned().await.unwrap();
        let connection = pool.acquire().await.unwrap();
        Transaction::begin(connection, turn, "BEGIN".into_sql_str(), limit).await
    }

    #[actix_web::test]
    async fn a_begin_that_is_never_answered_ends_and_its_connection_is_not_used_again() {
        let (server, pool) = Server::start().await;
        let turns = Arc::new(Semaphore::new(1));
        drop(pool.acquire().await.unwrap());
        testing::until("an idle connection", || pool.num_idle() == 1).await;
        server.freeze(true);
        let begun = begin(&pool, &turns, SOON).await;
        assert!(matches!(begun, Err(Error::PoolTimedOut)), "{begun:?}");
        server.closes(1).await;
        server.freeze(false);
        let begun = begin(&pool, &turns, NOT_HERE).await.unwrap();
        begun.commit().await.unwrap();
        assert_eq!((turns.available_permits(), pool.size()), (1, 1));
    }

    #[actix_web::test]
    async fn whoever_leaves_a_begin_that_is_never_answered_leaves_no_connection_and_no_turn_behind()
    {
        let (server, pool) = Server::start().await;
        let turns = Arc::new(Semaphore::new(1));
        drop(pool.acquire().await.unwrap());
        testing::until("an idle connection", || pool.num_idle() == 1).await;
        server.freeze(true);
        let left = timeout(SOON / 4, begin(&pool, &turns, SOON)).await;
        assert!(left.is_err(), "it is not answered");
        server.closes(1).await;
        testing::until("the turn", || turns.available_permits() == 1).await;
    }

    #[actix_web::test]
    async fn a_roll_back_that_is_never_answered_closes_its_connection() {
        let (server, pool) = Server::start().await;
        let turns = Arc::new(Semaphore::new(1));
        let mut begun = begin(&pool, &turns, NOT_HERE).await.unwrap();
        begun.limit = SOON;
        server.freeze(true);
        drop(begun);
        server.closes(1).await;
        server.freeze(false);
        let begun = begin(&pool, &turns, NOT_HERE).await.unwrap();
        drop(begun);
        testing::until("the turn", || turns.available_permits() == 1).await;
        // What was rolled back in time is kept.
        testing::until("an idle connection", || pool.num_idle() == 1).await;
    }

    #[actix_web::test]
    async fn a_commit_that_is_never_answered_ends_and_its_connection_is_closed() {
        let (server, pool) = Server::start().await;
        let turns = Arc::new(Semaphore::new(1));
        let mut begun = begin(&pool, &turns, NOT_HERE).await.unwrap();
        begun.limit = SOON;
        server.freeze(true);
        let committed = begun.commit().await;
        assert!(
            matches!(committed, Err(Error::PoolTimedOut)),
            "{committed:?}"
        );
        server.closes(1).await;
        testing::until("the turn", || turns.available_permits() == 1).await;
    }
}
