//! The users' table: one function for each thing that is done to it.
//!
//! A call is one statement, so none needs a transaction: the address is unique by the table's own
//! rule, not by a look beforehand.

use crate::clock::now_ms;
use crate::user::{Email, NewUser, Replacement, Stats, User, UserId};
use service::input::Page;
use service::output::Listing;
use service::{Error, Store};
use std::collections::BTreeMap;

/// The users of this store.
#[derive(Clone)]
pub struct Directory {
    store: Store,
}

/// What a sign-in needs to know; the only place where a hash leaves the table.
#[derive(sqlx::FromRow)]
pub struct Credentials {
    #[sqlx(flatten)]
    pub user: User,
    pub password_hash: Option<String>,
}

impl Directory {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Users in the order in which they were made.
    pub async fn page(&self, page: &Page) -> Result<Listing<User>, Error> {
        let after = page
            .after()
            .map(|id| UserId::try_from(id.to_owned()))
            .transpose();
        let after = after.map_err(|reason| Error::invalid("after", reason))?;
        // One row more than asked for tells whether there is a next page.
        let mut items: Vec<User> = sqlx::query_as(
            "SELECT id, name, email, role, created_at_ms, updated_at_ms FROM users
             WHERE id > $1 ORDER BY id LIMIT $2",
        )
        .bind(after.as_ref().map_or("", UserId::as_str))
        .bind(page.limit() + 1)
        .fetch_all(self.store.pool())
        .await?;
        let total = sqlx::query_scalar("SELECT COUNT(*) FROM users")
            .fetch_one(self.store.pool())
            .await?;
        let more = items.len() as i64 > page.limit();
        items.truncate(page.limit() as usize);
        let last = items.last().filter(|_| more);
        let after = last.map(|user| user.id.as_str().to_owned());
        Ok(Listing {
            items,
            total,
            after,
        })
    }

    /// # Errors
    /// 404 `not_found`.
    pub async fn get(&self, id: &UserId) -> Result<User, Error> {
        sqlx::query_as(
            "SELECT id, name, email, role, created_at_ms, updated_at_ms FROM users WHERE id = $1",
        )
        .bind(id.as_str())
        .fetch_optional(self.store.pool())
        .await?
        .ok_or_else(|| Error::not_found("user", id.as_str()))
    }

    /// # Errors
    /// 409 `email_taken`.
    pub async fn create(
        &self,
        new: &NewUser,
        password_hash: Option<String>,
    ) -> Result<User, Error> {
        let (now, mut write) = (now_ms(), self.store.write().await?);
        let user = sqlx::query_as(
            "INSERT INTO users (id, name, email, role, password_hash, created_at_ms, updated_at_ms)
             VALUES ($1, $2, $3, $4, $5, $6, $6)
             RETURNING id, name, email, role, created_at_ms, updated_at_ms",
        )
        .bind(UserId::random().as_str())
        .bind(new.name.as_str())
        .bind(new.email.as_str())
        .bind(new.role.as_str())
        .bind(password_hash)
        .bind(now)
        .fetch_one(&mut *write)
        .await
        .map_err(taken)?;
        write.commit().await?;
        Ok(user)
    }

    /// # Errors
    /// 404 `not_found`, 409 `email_taken`.
    pub async fn replace(
        &self,
        id: &UserId,
        new: &Replacement,
        password_hash: Option<String>,
    ) -> Result<User, Error> {
        let mut write = self.store.write().await?;
        let user = sqlx::query_as(
            "UPDATE users SET name = $2, email = $3, role = $4, password_hash = COALESCE($5, password_hash), updated_at_ms = $6
             WHERE id = $1
             RETURNING id, name, email, role, created_at_ms, updated_at_ms",
        )
        .bind(id.as_str())
        .bind(new.name.as_str())
        .bind(new.email.as_str())
        .bind(new.role.as_str())
        .bind(password_hash)
        .bind(now_ms())
        .fetch_optional(&mut *write)
        .await
        .map_err(taken)?;
        write.commit().await?;
        user.ok_or_else(|| Error::not_found("user", id.as_str()))
    }

    /// # Errors
    /// 404 `not_found`.
    pub async fn delete(&self, id: &UserId) -> Result<(), Error> {
        let mut write = self.store.write().await?;
        let done = sqlx::query("DELETE FROM users WHERE id = $1")
            .bind(id.as_str())
            .execute(&mut *write)
            .await?;
        write.commit().await?;
        match done.rows_affected() {
            0 => Err(Error::not_found("user", id.as_str())),
            _ => Ok(()),
        }
    }

    /// Counts by role; a role without users is left out.
    pub async fn stats(&self) -> Result<Stats, Error> {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("SELECT role, COUNT(*) FROM users GROUP BY role")
                .fetch_all(self.store.pool())
                .await?;
        let total_users = rows.iter().map(|(_, count)| count).sum();
        Ok(Stats {
            total_users,
            by_role: BTreeMap::from_iter(rows),
        })
    }

    /// The user with this address and the stored hash, if any.
    pub async fn credentials(&self, email: &Email) -> Result<Option<Credentials>, Error> {
        let row = sqlx::query_as(
            "SELECT id, name, email, role, created_at_ms, updated_at_ms, password_hash FROM users WHERE email = $1",
        )
        .bind(email.as_str())
        .fetch_optional(self.store.pool())
        .await?;
        Ok(row)
    }
}

fn taken(error: sqlx::Error) -> Error {
    let unique = error
        .as_database_error()
        .is_some_and(|error| error.is_unique_violation());
    if unique {
        return Error::conflict("email_taken", "another user has this address").field("email");
    }
    error.into()
}
