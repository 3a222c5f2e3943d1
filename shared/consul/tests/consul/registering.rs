//! A process in the catalogue of a real agent: seen, kept as it should be, gone when it drains.

use std::time::Duration;

use consul::definition::{Definition, Weights};
use consul::{Registration, View, watch};
use resilience::endpoint::Health;

use crate::process::Process;
use crate::real_agent::{RealAgent, registered};
use crate::scripted::{Reply, Scripted, status};
use crate::{agent_at, eventually, metrics, value};

const SOON: Duration = Duration::from_secs(5);
/// One interval of reconciling and some.
const RECONCILED: Duration = Duration::from_secs(10);

fn passing(view: &View) -> usize {
    view.current()
        .endpoints()
        .iter()
        .filter(|endpoint| endpoint.health == Health::Passing)
        .count()
}

/// What somebody else might have left under an id.
fn drifted(registration: &Registration) -> Definition {
    Definition {
        id: registration.id.clone(),
        name: registration.name.clone(),
        address: registration.address.to_string(),
        port: registration.port,
        tags: Vec::new(),
        meta: [("owner".to_owned(), "lictor".to_owned())].into(),
        weights: Weights {
            passing: 1,
            warning: 1,
        },
        check: None,
    }
}

#[actix_web::test]
async fn a_process_is_passing_at_once_repaired_when_it_drifts_and_gone_when_it_drains() {
    let consul = RealAgent::start().await;
    let agent = consul.client();
    let (registry, metrics) = metrics();
    let one = Process::start("users", "a").await;
    let two = Process::start("users", "b").await;

    let mut earlier = one.registration.clone();
    earlier.id = Registration::instance_id("users", earlier.address, earlier.port, "00000000");
    agent.register(&drifted(&earlier)).await.unwrap();

    let view = watch::spawn(&agent, "users", &metrics);
    let first = one.register(&agent, &metrics);
    let second = two.register(&agent, &metrics);
    assert!(first.registered(SOON).await && second.registered(SOON).await);
    eventually("both are passing", SOON, || async { passing(&view) == 2 }).await;
    eventually("the earlier start is gone", SOON, || async {
        agent.service(&earlier.id).await.unwrap().is_none()
    })
    .await;

    let snapshot = view.current();
    let seen = snapshot
        .endpoints()
        .iter()
        .find(|endpoint| endpoint.id.as_str() == one.id())
        .unwrap();
    assert_eq!((seen.zone.as_str(), &*seen.version), ("a", "0.1.0"));
    assert_eq!(
        (seen.address.port(), seen.ops_port),
        (one.registration.port, Some(one.registration.ops_port))
    );
    assert_eq!((seen.weights.passing, seen.weights.warning), (10, 5));

    agent.register(&drifted(&one.registration)).await.unwrap();
    let repaired = || async {
        let known = agent.service(one.id()).await.unwrap();
        known.is_some_and(|known| known.meta.unwrap_or_default().contains_key("zone"))
    };
    eventually("drift is repaired", RECONCILED, repaired).await;
    agent.deregister(two.id()).await.unwrap();
    eventually("what was forgotten is back", RECONCILED, || async {
        agent.service(two.id()).await.unwrap().is_some()
    })
    .await;
    // The agent knows of it a moment before the process has its answer.
    for reason in ["drift", "missing"] {
        let name = format!("lictor_registrations_total{{reason=\"{reason}\"}}");
        eventually(&name, SOON, || async { value(&registry, &name) == 1.0 }).await;
    }

    eventually("both are in the view again", SOON, || async {
        passing(&view) == 2
    })
    .await;
    second.deregister().await.unwrap();
    eventually("the view follows the drain", SOON, || async {
        view.current().endpoints().len() == 1
    })
    .await;
    assert_eq!(view.current().endpoints()[0].id.as_str(), one.id());
    first.deregister().await.unwrap();
    assert!(!first.is_registered());
    eventually("the catalogue is empty", SOON, || async {
        registered(&agent, "users").await == 0
    })
    .await;
    agent.deregister(one.id()).await.unwrap();
}

#[actix_web::test]
async fn a_registration_on_its_way_is_awaited_before_deregistering() {
    let (_, metrics) = metrics();
    let done = Reply::Full(200, String::new(), Vec::new());
    let scripted = Scripted::start([Reply::Late(
        Duration::from_millis(300),
        Box::new(done.clone()),
    )])
    .await;
    scripted.always(move || done.clone());
    let process = Process::start("users", "a").await;
    let handle = process.register(&agent_at(&scripted.address), &metrics);
    scripted.asked(1, SOON).await;
    handle.deregister().await.unwrap();
    let lines = scripted.lines();
    assert_eq!(
        lines[0],
        "PUT /v1/agent/service/register?replace-existing-checks=true"
    );
    assert_eq!(
        *lines.last().unwrap(),
        format!("PUT /v1/agent/service/deregister/{}", process.id())
    );
}

#[actix_web::test]
async fn an_agent_that_refuses_is_asked_again_and_draining_does_not_wait_for_it() {
    let (registry, metrics) = metrics();
    let scripted = Scripted::start([]).await;
    scripted.always(|| status(500));
    let process = Process::start("users", "a").await;
    let handle = process.register(&agent_at(&scripted.address), &metrics);
    scripted.asked(3, SOON).await;
    assert_eq!(value(&registry, "lictor_registration_state"), 0.0);
    assert!(handle.deregister().await.is_err());
}
