//! Who exists, and who leaves.

use std::time::Instant;

use super::scene::{Scene, answer, endpoint, ok, until, upstream};

#[actix_web::test]
async fn a_pool_follows_its_view() {
    let (mut publisher, view) = consul::view::channel("shop");
    let scene = Scene::seeing(view, "");
    assert_eq!(scene.get().await.unwrap_err().code, "no_endpoint");
    let one = upstream(|stream| answer(stream, ok("1"))).await;
    publisher.accept(vec![endpoint("one", one)], Instant::now());
    until("it is seen", || {
        scene.pool.status(Instant::now()).endpoints.len() == 1
    })
    .await;
    assert_eq!(scene.get().await.unwrap(), 1);
    let two = upstream(|stream| answer(stream, ok("2"))).await;
    publisher.accept(vec![endpoint("two", two)], Instant::now());
    until("it is replaced", || {
        scene.pool.status(Instant::now()).endpoints[0].id == "two"
    })
    .await;
    assert_eq!(scene.get().await.unwrap(), 2);
}

#[actix_web::test]
async fn an_instance_that_says_it_drains_is_the_last_choice() {
    let leaving = upstream(|stream| async {
        let head = "HTTP/1.1 200 OK\r\nconnection: close\r\nx-service-draining: 1\r\ncontent-length: 1\r\n\r\n1";
        answer(stream, head).await;
    });
    let staying = upstream(|stream| answer(stream, ok("2"))).await;
    let scene = Scene::of(&[leaving.await, staying]);
    let mut answers = Vec::new();
    for _ in 0..60 {
        answers.push(scene.get().await.unwrap());
    }
    assert_eq!(
        answers.iter().filter(|answer| **answer == 1).count(),
        1,
        "{answers:?}"
    );
    let resting = scene
        .pool
        .status(Instant::now())
        .endpoints
        .into_iter()
        .filter(|seat| seat.resting_ms.is_some());
    assert_eq!(resting.map(|seat| seat.id).collect::<Vec<_>>(), ["shop-0"]);
}

#[actix_web::test]
async fn a_pool_that_is_gone_follows_nothing() {
    let (publisher, view) = consul::view::channel("shop");
    let scene = Scene::seeing(view, "");
    let pool = std::sync::Arc::downgrade(&scene.pool);
    drop(scene);
    assert!(pool.upgrade().is_none());
    drop(publisher);
}
