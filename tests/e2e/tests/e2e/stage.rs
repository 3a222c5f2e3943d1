//! One system at a time: two cores cannot carry two of them and still mean something.

use stack::{Reporter, Stack};
use std::future::Future;
use tokio::sync::Mutex;

static STAGE: Mutex<()> = Mutex::const_new(());

/// Runs `scenario` on a fresh system and stops it, also when the scenario fails.
pub async fn play<F: Future<Output = ()>>(scenario: impl FnOnce(Stack) -> F) {
    play_on(Stack::builder(), scenario).await;
}

/// The same, with settings of the scenario's own.
pub async fn play_on<F: Future<Output = ()>>(
    wishes: stack::Builder,
    scenario: impl FnOnce(Stack) -> F,
) {
    let _turn = STAGE.lock().await;
    let stack = wishes
        .state("stack-e2e")
        .reporter(Reporter::silent())
        .start()
        .await
        .unwrap();
    scenario(stack.clone()).await;
    let leftovers = stack.stop().await;
    assert!(leftovers.is_empty(), "not stopped in order: {leftovers:?}");
}
