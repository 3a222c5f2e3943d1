//! What SQLite and PostgreSQL have to be told in different words.

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};
use std::time::Duration;

/// The database behind a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    pub(super) fn system(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgresql",
        }
    }

    /// Begins a transaction that may write. On SQLite `left` bounds the wait for the lock, on
    /// PostgreSQL each statement; the whole is bounded by its request, which drops it, and the beginning
    /// by `transaction.rs`.
    pub(super) fn begin(self, left: Duration) -> SqlStr {
        let left = millis(left);
        let words = match self {
            Self::Sqlite => format!("PRAGMA busy_timeout = {left}; BEGIN IMMEDIATE"),
            Self::Postgres => format!(
                "BEGIN; SET LOCAL statement_timeout = {left}; SET LOCAL lock_timeout = {left}"
            ),
        };
        AssertSqlSafe(words).into_sql_str()
    }

    /// Said before a single statement, so that it does not outlive who waits for it. SQLite's readers
    /// wait for nobody (WAL), so only its writers are told.
    pub(super) fn limit(self, sql: &str, left: Duration) -> Option<SqlStr> {
        let left = millis(left);
        let words = match self {
            Self::Sqlite if reads(sql) => return None,
            Self::Sqlite => format!("PRAGMA busy_timeout = {left}"),
            Self::Postgres => format!("SET statement_timeout = {left}; SET lock_timeout = {left}"),
        };
        Some(AssertSqlSafe(words).into_sql_str())
    }
}

fn reads(sql: &str) -> bool {
    let first = sql.trim_ascii_start().get(..6);
    first.is_some_and(|word| word.eq_ignore_ascii_case("select"))
}

/// Whole milliseconds, at least one: both databases read 0 as "for ever".
fn millis(left: Duration) -> u128 {
    left.as_millis().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_wait_for_a_lock_is_told_how_long() {
        let left = Duration::from_micros(1500);
        let said = |dialect: Dialect, sql| {
            dialect
                .limit(sql, left)
                .map(|words| words.as_str().to_owned())
        };
        assert_eq!(said(Dialect::Sqlite, "  select 1"), None);
        assert_eq!(
            said(Dialect::Sqlite, "UPDATE t SET n = 1").as_deref(),
            Some("PRAGMA busy_timeout = 1")
        );
        assert!(said(Dialect::Postgres, "SELECT 1").is_some());
    }

    #[test]
    fn no_time_is_never_said_as_for_ever() {
        let begin = Dialect::Sqlite.begin(Duration::from_nanos(1));
        assert_eq!(begin.as_str(), "PRAGMA busy_timeout = 1; BEGIN IMMEDIATE");
    }
}
