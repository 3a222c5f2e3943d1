//! Three demo users for an empty store, so that the first `curl` has something to find.
//!
//! Made once in a store's life, by whichever instance writes first. Ids are fixed and passwords
//! documented: for demonstration only, `users.seed = false` leaves them out.

use crate::clock::now_ms;
use crate::user::Role;
use service::{Error, Store};

struct Demo {
    id: &'static str,
    name: &'static str,
    email: &'static str,
    role: Role,
    /// Of the password in README.md; kept as a hash, so that starting costs no hashing.
    password_hash: &'static str,
}

const DEED: &str = "seed_users";

const USERS: [Demo; 3] = [
    Demo {
        id: "usr_01937c6e-5a00-7000-8000-0000000000a1",
        name: "Ada Lovelace",
        email: "ada@example.com",
        role: Role::Admin,
        password_hash: "$argon2id$v=19$m=7168,t=5,p=1$3JPtxrWR/voA8kMBpIg9wg$AkO7JPvN4rHToYSQl+ZzCiDojmwLwd5NGSxUfif47TA",
    },
    Demo {
        id: "usr_01937c6e-5a00-7000-8000-0000000000b2",
        name: "Grace Hopper",
        email: "grace@example.com",
        role: Role::Support,
        password_hash: "$argon2id$v=19$m=7168,t=5,p=1$t6cJcJOrbZasLxFEdQhPJw$t7qdy+hhDcd6HYziDxgNTKBtIAn/Ut+jm+1nvBDk5Dk",
    },
    Demo {
        id: "usr_01937c6e-5a00-7000-8000-0000000000c3",
        name: "Alan Turing",
        email: "alan@example.com",
        role: Role::Customer,
        password_hash: "$argon2id$v=19$m=7168,t=5,p=1$c505xicv41VKc5za+RdFGg$sXfUhRv4cE0qL9iNf6gGe1+sn467z3LFSZrbBH1Bass",
    },
];

/// Makes them unless this store was ever seeded.
pub async fn seed(store: &Store) -> Result<(), Error> {
    let mut write = store.write().await?;
    let first = sqlx::query("INSERT INTO once (deed) VALUES ($1) ON CONFLICT (deed) DO NOTHING")
        .bind(DEED)
        .execute(&mut *write)
        .await?;
    if first.rows_affected() == 1 {
        for demo in &USERS {
            sqlx::query(
                "INSERT INTO users (id, name, email, role, password_hash, created_at_ms, updated_at_ms)
                 VALUES ($1, $2, $3, $4, $5, $6, $6)",
            )
            .bind(demo.id)
            .bind(demo.name)
            .bind(demo.email)
            .bind(demo.role.as_str())
            .bind(demo.password_hash)
            .bind(now_ms())
            .execute(&mut *write)
            .await?;
        }
    }
    write.commit().await?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::password::{Password, Passwords, Settings};

    #[tokio::test]
    async fn each_demo_user_has_the_password_that_the_readme_tells() {
        let readme = include_str!("../README.md");
        let settings: Settings =
            serde_json::from_str(r#"{"memory_kib": 7168, "passes": 5, "queue_ms": 250}"#).unwrap();
        let passwords = Passwords::new(&settings).unwrap();
        for demo in USERS {
            let row = readme
                .lines()
                .find(|line| line.contains(demo.email))
                .unwrap();
            let told = row
                .split('|')
                .map(|cell| cell.trim().trim_matches('`'))
                .find(|cell| cell.ends_with("-password"));
            let told = Password::try_from(told.unwrap().to_owned()).unwrap();
            assert!(
                passwords
                    .verify(told, Some(demo.password_hash))
                    .await
                    .unwrap(),
                "{}",
                demo.email
            );
            let wrong = Password::try_from("another password".to_owned()).unwrap();
            assert!(
                !passwords
                    .verify(wrong, Some(demo.password_hash))
                    .await
                    .unwrap()
            );
            assert!(row.contains(demo.id));
        }
    }
}
