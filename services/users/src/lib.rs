//! Users, tokens and signing keys.
//!
//! The smallest service and the one to copy: `lib.rs` says what it is made of, `routes.rs` what it
//! answers, `user.rs` what it accepts, `directory.rs` what it stores. `token.rs`, `password.rs` and
//! `keys.rs` are its sign-in, `desk.rs` is the operator's side. Configuration, listeners, health, Consul, traces, metrics and draining
//! come from the `service` crate.

mod clock;
mod desk;
mod directory;
mod keys;
mod password;
mod routes;
mod seed;
mod token;
mod user;

use actix_web::web::Data;
use directory::Directory;
use keys::{KeySet, KeyStatus, Keys};
use password::{Password, Passwords};
use serde::Deserialize;
use service::{App, BadValue, Context, Error, Migrator, StartError, Store};
use std::sync::Arc;
use token::Issuer;
use user::{NewUser, Replacement, User, UserId};
use utoipa::OpenApi;

/// The tables, for SQLite and PostgreSQL alike.
pub static MIGRATIONS: Migrator = sqlx::migrate!();

/// The sections of `users.toml` that are its own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    users: UsersSettings,
    password: password::Settings,
    token: token::Settings,
    keys: keys::Settings,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct UsersSettings {
    seed: bool,
}

/// The domain, as the handlers see it.
pub struct Users {
    directory: Directory,
    passwords: Passwords,
    keys: Arc<Keys>,
    issuer: Issuer,
}

/// Opens the domain over the store that the process was given.
///
/// # Errors
/// The store cannot be read or written.
pub async fn build(settings: Settings, context: Context) -> Result<App, StartError> {
    let users = Users::open(context.store()?.clone(), settings).await?;
    Ok(app(Data::new(users)))
}

/// The routes over a domain that is already open.
pub fn app(users: Data<Users>) -> App {
    let operated = users.clone();
    App::public(move |config| {
        config.app_data(users.clone()).configure(routes::configure);
    })
    .described(routes::Api::openapi())
    .admin(move |config| {
        config.app_data(operated.clone()).configure(desk::configure);
    })
}

impl Settings {
    /// # Errors
    /// The first value that the types allow and the domain does not.
    pub fn check(&self) -> Result<(), BadValue> {
        self.password.check()?;
        self.token.check()?;
        self.keys.check()
    }
}

impl Users {
    /// Seeds an empty store and finds the key that signs.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub async fn open(store: Store, settings: Settings) -> Result<Self, Error> {
        if settings.users.seed {
            seed::seed(&store).await?;
        }
        let lifetime_s = settings.token.lifetime_s();
        let keys = Arc::new(Keys::open(store.clone(), settings.keys, lifetime_s).await?);
        let directory = Directory::new(store);
        let passwords = Passwords::new(&settings.password)?;
        let issuer = Issuer::new(
            directory.clone(),
            passwords.clone(),
            keys.clone(),
            settings.token,
        );
        Ok(Self {
            directory,
            passwords,
            keys,
            issuer,
        })
    }

    async fn create(&self, mut new: NewUser) -> Result<User, Error> {
        let hash = self.hash(new.password.take()).await?;
        self.directory.create(&new, hash).await
    }

    async fn replace(&self, id: &UserId, mut new: Replacement) -> Result<User, Error> {
        let hash = self.hash(new.password.take()).await?;
        self.directory.replace(id, &new, hash).await
    }

    async fn hash(&self, password: Option<Password>) -> Result<Option<String>, Error> {
        match password {
            Some(password) => self.passwords.hash(password).await.map(Some),
            None => Ok(None),
        }
    }

    async fn published_keys(&self) -> Result<KeySet, Error> {
        self.keys.published().await
    }

    /// Makes the next signing key, as an operator does.
    ///
    /// # Errors
    /// 409 `too_many_keys`, `rotation_running`.
    pub async fn rotate_keys(&self) -> Result<KeyStatus, Error> {
        self.keys.rotate().await
    }
}
