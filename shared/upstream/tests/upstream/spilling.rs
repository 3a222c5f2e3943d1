//! A busy zone sends calls to the other one, over sockets.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use actix_web::rt;
use actix_web::rt::time::sleep;
use tokio::io::AsyncWriteExt as _;

use super::scene::{Scene, ok, read_request, until, upstream, weighing};

/// Answers after 40 ms, however many ask.
async fn takes_its_time() -> SocketAddr {
    upstream(|mut stream| async move {
        while read_request(&mut stream).await.is_some() {
            sleep(Duration::from_millis(40)).await;
            stream.write_all(ok("1").as_bytes()).await.unwrap();
        }
    })
    .await
}

async fn two_zones(settings: &str) -> Scene {
    let endpoints = vec![
        weighing("here", takes_its_time().await, "a"),
        weighing("there", takes_its_time().await, "b"),
    ];
    Scene::seeing(consul::View::fixed("shop", endpoints), settings)
}

/// That many callers, each with one call after the other, until they are stopped.
fn callers(scene: &Scene, count: usize) -> Vec<rt::task::JoinHandle<()>> {
    (0..count)
        .map(|_| {
            let client = scene.client.clone();
            rt::spawn(async move {
                loop {
                    client.get("/").send_empty().await.unwrap();
                }
            })
        })
        .collect()
}

fn away(scene: &Scene) -> f64 {
    let zones = scene.pool.status(Instant::now()).zones;
    zones.iter().find(|zone| zone.zone == "b").unwrap().share
}

/// Calls so far, by why they went where they went.
fn picks(scene: &Scene, reason: &str) -> u32 {
    let series = format!(r#"lictor_picks_total{{reason="{reason}",upstream="shop"}}"#);
    scene.metric(&series).unwrap().parse().unwrap()
}

/// So many calls later, wherever they went: the callers' own time, not the clock's.
async fn calls_later(scene: &Scene, count: u32) {
    let all = || picks(scene, "local") + picks(scene, "spill_load");
    let enough = all() + count;
    until("so many calls were made", || all() >= enough).await;
}

#[actix_web::test]
async fn a_zone_with_more_in_flight_than_its_target_spills_and_takes_back() {
    let scene = two_zones(r#""spill_target": 3, "spill_step": 2"#).await;
    let cool = callers(&scene, 2);
    // Each takes 40 ms, two run: the load is looked at several times.
    calls_later(&scene, 24).await;
    assert_eq!(away(&scene), 0.0);

    // Of eight in flight three may stay, or as many as go elsewhere.
    let hot = callers(&scene, 6);
    until("a third has left", || away(&scene) > 0.33).await;
    calls_later(&scene, 100).await;
    assert!(
        away(&scene) < 0.7,
        "{:?}",
        scene.pool.status(Instant::now())
    );
    assert!(picks(&scene, "spill_load") > 5);

    hot.iter().for_each(rt::task::JoinHandle::abort);
    until("all are back", || away(&scene) == 0.0).await;
    cool.iter().for_each(rt::task::JoinHandle::abort);
}

#[actix_web::test]
async fn the_target_counts_calls_per_ordinary_instance_whatever_its_weight() {
    let scene = two_zones(r#""spill_target": 20, "spill_step": 2"#).await;
    let running = callers(&scene, 10);
    let here = || scene.pool.status(Instant::now()).zones.swap_remove(0);
    until("they are under way", || here().load >= 8.0).await;
    calls_later(&scene, 100).await;
    let here = here();
    assert_eq!(
        (here.zone.as_str(), here.capacity, here.share),
        ("a", 1.0, 1.0)
    );
    assert!(here.load <= 10.0, "{here:?}");
    running.iter().for_each(rt::task::JoinHandle::abort);
}

#[test]
fn a_target_or_a_step_of_nothing_is_refused() {
    for bad in [r#"{"spill_target": 0}"#, r#"{"spill_step": -0.5}"#] {
        let read = serde_json::from_str::<upstream::PoolConfig>(bad);
        assert!(read.unwrap_err().to_string().contains("is not above zero"));
    }
}

#[actix_web::test]
async fn the_flow_between_zones_and_the_places_are_among_the_metrics() {
    let scene = two_zones(r#""most_in_flight": 7"#).await;
    let flow = |zone: &str| {
        let series = format!(r#"lictor_zone_flow_total{{to_zone="{zone}",upstream="shop"}}"#);
        scene.metric(&series)
    };
    assert_eq!((flow("a").as_deref(), flow("b")), (Some("0"), None));
    let limit = r#"lictor_upstream_in_flight_limit{upstream="shop"}"#;
    assert_eq!(scene.metric(limit).as_deref(), Some("7"));
    scene.client.get("/").send_empty().await.unwrap();
    assert_eq!(flow("a").as_deref(), Some("1"));
}
