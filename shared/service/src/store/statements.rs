//! Single statements, each on a connection that it takes for itself.
//!
//! What sqlx does with `&AnyPool`, and beside it: the time that the request has left bounds the wait
//! for a connection and the statement, and a slow database is slow here. Rows are read to the end
//! before the first is given on: pages are short, and the connection is free sooner.

use super::Store;
use super::patience::Patience;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use sqlx::any::{AnyArguments, AnyQueryResult, AnyRow, AnyStatement, AnyTypeInfo};
use sqlx::{Any, Describe, Either, Error, Execute, Executor, SqlStr};

/// Executes statements on the store's pool.
#[derive(Debug, Clone, Copy)]
pub struct Statements<'s> {
    store: &'s Store,
}

/// A statement without the lifetime of who wrote it.
pub(super) type Statement = (SqlStr, Option<AnyArguments>);

impl<'s> Statements<'s> {
    pub(super) fn new(store: &'s Store) -> Self {
        Self { store }
    }

    async fn many(
        self,
        statement: Result<Statement, Error>,
    ) -> Result<Vec<Either<AnyQueryResult, AnyRow>>, Error> {
        let (statement, patience) = (statement?, self.store.patience());
        let (mut connection, operation) = self
            .store
            .connection(&patience, statement.0.as_str())
            .await?;
        let rows = connection.fetch_many(statement).try_collect().await;
        operation.ended(rows.map_err(|error| patience.blame(error)))
    }

    async fn optional(self, statement: Result<Statement, Error>) -> Result<Option<AnyRow>, Error> {
        let (statement, patience) = (statement?, self.store.patience());
        let (mut connection, operation) = self
            .store
            .connection(&patience, statement.0.as_str())
            .await?;
        let row = connection.fetch_optional(statement).await;
        operation.ended(row.map_err(|error| patience.blame(error)))
    }

    async fn prepared(self, sql: SqlStr, types: &[AnyTypeInfo]) -> Result<AnyStatement, Error> {
        let patience: Patience = self.store.patience();
        let (mut connection, operation) = self.store.connection(&patience, sql.as_str()).await?;
        operation.ended(connection.prepare_with(sql, types).await)
    }
}

impl<'s> Executor<'s> for Statements<'s> {
    type Database = Any;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<Either<AnyQueryResult, AnyRow>, Error>>
    where
        's: 'e,
        E: 'q + Execute<'q, Any>,
    {
        stream::once(self.many(statement(query)))
            .map_ok(|rows| stream::iter(rows.into_iter().map(Ok)))
            .try_flatten()
            .boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<AnyRow>, Error>>
    where
        's: 'e,
        E: 'q + Execute<'q, Any>,
    {
        self.optional(statement(query)).boxed()
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        types: &'e [AnyTypeInfo],
    ) -> BoxFuture<'e, Result<AnyStatement, Error>>
    where
        's: 'e,
    {
        self.prepared(sql, types).boxed()
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Any>, Error>>
    where
        's: 'e,
    {
        async move {
            let (mut connection, operation) = self
                .store
                .connection(&self.store.patience(), sql.as_str())
                .await?;
            operation.ended(connection.describe(sql).await)
        }
        .boxed()
    }
}

pub(super) fn statement<'q>(mut query: impl Execute<'q, Any>) -> Result<Statement, Error> {
    let arguments = query.take_arguments().map_err(Error::Encode)?;
    Ok((query.sql(), arguments))
}
