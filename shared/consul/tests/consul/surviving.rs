//! The agent dies and comes back knowing nothing: the services are back within 15 s, and the view is never empty.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use consul::view::Condition;
use consul::watch;

use crate::process::Process;
use crate::real_agent::{RealAgent, registered};
use crate::{eventually, metrics};

const SOON: Duration = Duration::from_secs(5);
/// What is promised for every service, from the return of the agent.
const BACK: Duration = Duration::from_secs(15);

#[actix_web::test]
async fn an_agent_that_returns_wiped_has_its_services_back_and_the_view_is_never_empty() {
    let mut consul = RealAgent::start().await;
    let agent = consul.client();
    let (_, metrics) = metrics();
    let processes = [
        Process::start("users", "a").await,
        Process::start("users", "b").await,
    ];
    let handles = processes
        .each_ref()
        .map(|process| process.register(&agent, &metrics));
    let view = watch::spawn(&agent, "users", &metrics);
    eventually("both are in the view", SOON, || async {
        view.current().endpoints().len() == 2
    })
    .await;

    let smallest = Rc::new(Cell::new(2));
    let (mut changes, seen) = (view.subscribe(), Rc::clone(&smallest));
    actix_web::rt::spawn(async move {
        while changes.changed().await.is_ok() {
            seen.set(
                seen.get()
                    .min(changes.borrow_and_update().endpoints().len()),
            );
        }
    });

    consul.kill();
    eventually("the watch fails", SOON, || async {
        view.condition() == Condition::Failing
    })
    .await;
    eventually("the registrations fail", BACK, || async {
        handles.iter().all(|handle| !handle.is_registered())
    })
    .await;
    assert_eq!(
        view.current().endpoints().len(),
        2,
        "the last good set stays"
    );

    let returned = Instant::now();
    consul.boot_wiped();
    eventually("both are registered again", BACK, || async {
        registered(&agent, "users").await == 2
    })
    .await;
    eventually(
        "the view equals Consul's",
        BACK.saturating_sub(returned.elapsed()) + SOON,
        || async {
            view.condition() == Condition::Current && view.current().endpoints().len() == 2
        },
    )
    .await;
    assert!(smallest.get() >= 1, "the view became empty");
}

#[actix_web::test]
async fn a_process_that_starts_before_its_agent_registers_when_the_agent_comes() {
    let mut consul = RealAgent::start().await;
    consul.kill();
    let (_, metrics) = metrics();
    let process = Process::start("users", "a").await;
    let handle = process.register(&consul.client(), &metrics);
    let view = watch::spawn(&consul.client(), "users", &metrics);
    assert!(!handle.registered(Duration::from_millis(500)).await);
    assert!(!view.synced());

    consul.boot_wiped();
    assert!(handle.registered(BACK).await);
    eventually("it is in the view", BACK, || async {
        view.current().endpoints().len() == 1
    })
    .await;
}
