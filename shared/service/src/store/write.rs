//! A transaction that may write, as services see it: one operation of the metrics, from its begin to its
//! commit, with what the database says in between, if it says it in a limited time.

use super::metrics::Operation;
use super::statements::statement;
use super::transaction::{Transaction, within};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt, TryFutureExt, TryStreamExt};
use sqlx::any::{AnyQueryResult, AnyRow, AnyStatement, AnyTypeInfo};
use sqlx::{Any, Describe, Either, Error, Execute, Executor, SqlStr};
use std::ops::{Deref, DerefMut};

/// A transaction that may write; dropped without [`Write::commit`], it never happened.
#[derive(Debug)]
pub struct Write {
    inside: Inside,
}

/// What the statements of a [`Write`] are executed on: its connection, and whoever counts its errors.
#[derive(Debug)]
pub struct Inside {
    transaction: Transaction,
    operation: Operation,
}

impl Write {
    pub(super) fn new(transaction: Transaction, operation: Operation) -> Self {
        Self {
            inside: Inside {
                transaction,
                operation,
            },
        }
    }

    /// Makes it so.
    ///
    /// # Errors
    /// What the database says. Then nothing was written, unless it did not answer.
    pub async fn commit(self) -> Result<(), Error> {
        let Inside {
            transaction,
            operation,
        } = self.inside;
        let committing = operation.traced().bound("COMMIT");
        operation.ended(committing.ended(transaction.commit().await))
    }
}

impl Deref for Write {
    type Target = Inside;

    fn deref(&self) -> &Inside {
        &self.inside
    }
}

impl DerefMut for Write {
    fn deref_mut(&mut self) -> &mut Inside {
        &mut self.inside
    }
}

impl<'c> Executor<'c> for &'c mut Inside {
    type Database = Any;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<Either<AnyQueryResult, AnyRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Any>,
    {
        let limit = self.transaction.limit();
        let statement = match statement(query) {
            Ok(statement) => statement,
            Err(error) => return stream::iter([Err(error)]).boxed(),
        };
        let traced = self.operation.traced().inside(statement.0.as_str());
        let rows = self.transaction.fetch_many(statement);
        let rows = stream::try_unfold((rows, traced), move |(mut rows, traced)| async move {
            match within(limit, rows.try_next()).await {
                Ok(Some(row)) => Ok(Some((row, (rows, traced)))),
                over => traced.ended(over.map(|_| None)),
            }
        });
        rows.inspect_err(|error| self.operation.failed(error))
            .boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<AnyRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Any>,
    {
        async move {
            let statement = statement(query)?;
            let traced = self.operation.traced().inside(statement.0.as_str());
            let limit = self.transaction.limit();
            let row = self.transaction.fetch_optional(statement);
            let row = traced.ended(within(limit, row).await);
            row.inspect_err(|error| self.operation.failed(error))
        }
        .boxed()
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        types: &'e [AnyTypeInfo],
    ) -> BoxFuture<'e, Result<AnyStatement, Error>>
    where
        'c: 'e,
    {
        let statement = self.transaction.prepare_with(sql, types);
        statement
            .inspect_err(|error| self.operation.failed(error))
            .boxed()
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Any>, Error>>
    where
        'c: 'e,
    {
        let described = self.transaction.describe(sql);
        described
            .inspect_err(|error| self.operation.failed(error))
            .boxed()
    }
}
