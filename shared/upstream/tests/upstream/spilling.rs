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

#[actix_web::test]
async fn a_zone_with_more_in_flight_than_its_target_spills_and_takes_back() {
    let scene = two_zones(r#""spill_target": 3, "spill_step": 2"#).await;
    let cool = callers(&scene, 2);
    sleep(Duration::from_millis(500)).await;
    assert_eq!(away(&scene), 0.0);

    // Of eight in flight three may stay, or as many as go elsewhere.
    let hot = callers(&scene, 6);
    until("a third has left", || away(&scene) > 0.33).await;
    sleep(Duration::from_millis(500)).await;
    assert!(
        away(&scene) < 0.7,
        "{:?}",
        scene.pool.status(Instant::now())
    );
    let spilled = scene.metric(r#"lictor_picks_total{reason="spill_load",upstream="shop"}"#);
    assert!(spilled.unwrap().parse::<u32>().unwrap() > 5);

    hot.iter().for_each(rt::task::JoinHandle::abort);
    until("all are back", || away(&scene) == 0.0).await;
    cool.iter().for_each(rt::task::JoinHandle::abort);
}

#[actix_web::test]
async fn the_target_counts_calls_per_ordinary_instance_whatever_its_weight() {
    let scene = two_zones(r#""spill_target": 20, "spill_step": 2"#).await;
    let running = callers(&scene, 10);
    sleep(Duration::from_millis(500)).await;
    let status = scene.pool.status(Instant::now());
    let here = &status.zones[0];
    assert_eq!(
        (here.zone.as_str(), here.capacity, here.share),
        ("a", 1.0, 1.0)
    );
    assert!((8.0..=10.0).contains(&here.load), "{here:?}");
    running.iter().for_each(rt::task::JoinHandle::abort);
}

#[test]
fn a_target_or_a_step_of_nothing_is_refused() {
    for bad in [r#"{"spill_target": 0}"#, r#"{"spill_step": -0.5}"#] {
        let read = serde_json::from_str::<upstream::PoolConfig>(bad);
        assert!(read.unwrap_err().to_string().contains("is not above zero"));
    }
}
