//! A system for one test, and the few things that several tests do with one.

use std::ops::Deref;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::Value;
use stack::{Answer, Builder, Client, Load, Stack};
use tokio::sync::{Mutex, MutexGuard};

/// One system at a time: two cores are not enough for two, and each measures.
static TURN: Mutex<()> = Mutex::const_new(());

pub struct System {
    stack: Stack,
    _turn: MutexGuard<'static, ()>,
}

/// For a test whose system is started elsewhere.
pub async fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().await
}

impl System {
    /// One instance of each service in two zones, one gateway in zone a.
    pub async fn start(name: &str) -> Self {
        Self::with(name, |wishes| wishes).await
    }

    pub async fn with(name: &str, wishes: impl FnOnce(Builder) -> Builder) -> Self {
        let turn = turn().await;
        let stack = wishes(Stack::builder().state(format!("stack-test/e2e-{name}")))
            .start()
            .await;
        Self {
            stack: stack.unwrap_or_else(|error| panic!("{error}")),
            _turn: turn,
        }
    }

    /// Drains everything; that it ends by itself is part of every test.
    pub async fn stop(self) {
        let killed = self.stack.clone().stop().await;
        assert!(killed.is_empty(), "had to be killed: {killed:?}");
    }

    /// The ids in a list.
    pub async fn ids(&self, path: &str, field: &str) -> Vec<String> {
        let answer = ok(self.load_client().get(path).await);
        let list = answer.json()["items"]
            .as_array()
            .cloned()
            .unwrap_or_else(|| panic!("{path}: {}", answer.text()));
        list.iter()
            .map(|entry| entry[field].as_str().unwrap().to_owned())
            .collect()
    }

    /// An order that can be filled.
    pub async fn order(&self) -> Value {
        let (user, sku) = (
            self.ids("/api/users", "id").await,
            self.ids("/api/inventory/items", "sku").await,
        );
        serde_json::json!({ "user_id": user[0], "items": [{ "sku": sku[0], "quantity": 1 }] })
    }
}

impl Deref for System {
    type Target = Stack;

    fn deref(&self) -> &Stack {
        &self.stack
    }
}

/// A 2xx answer.
pub fn ok(answer: Result<Answer, stack::Failure>) -> Answer {
    let answer = answer.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(
        (200..300).contains(&answer.status),
        "{} {}",
        answer.status,
        answer.text()
    );
    answer
}

/// The id of a request's trace, as its answer names it.
pub fn trace_id(answer: &Answer) -> String {
    let named = answer.header("traceresponse").unwrap_or_default();
    let id = named.split('-').nth(1).unwrap_or_default();
    assert_eq!(id.len(), 32, "the answer names its trace: {named:?}");
    id.to_owned()
}

/// Lets this process, and each that it starts, have that many descriptors: a plain shell allows 1024.
pub fn descriptors_for(needed: usize) {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    assert!(
        hard >= needed as u64,
        "{needed} descriptors are needed and the hard limit is {hard}; raise it with: ulimit -Hn {needed}"
    );
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
}

/// Waits until the load has run for so many seconds.
pub async fn second(load: &Load, second: u64) {
    let limit = Duration::from_secs(second + 10);
    let wait = stack::wait::until("the load to go on", limit, || async {
        let now = load.elapsed();
        if now >= Duration::from_secs(second) {
            Ok(())
        } else {
            Err(format!("{now:.1?}"))
        }
    });
    wait.await.unwrap();
}

/// Asks until the answer is as wanted.
pub async fn eventually(
    client: &Client,
    path: &str,
    limit: Duration,
    wanted: impl Fn(&Answer) -> bool,
) -> Answer {
    let asked = stack::wait::until(path, limit, || async {
        let answer = client
            .get(path)
            .await
            .map_err(|failure| failure.to_string())?;
        if wanted(&answer) {
            Ok(answer)
        } else {
            Err(format!("{} {}", answer.status, answer.text()))
        }
    });
    asked.await.unwrap_or_else(|error| panic!("{error}"))
}
