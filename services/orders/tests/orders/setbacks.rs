//! Peers that are dead, deaf or failing: the client is told, and nothing stays reserved or charged.

use crate::api::{Api, PATIENCE, directory, inventory, settings, wish};
use crate::client::Http;
use crate::peer::{Peer, Script, deaf_to_charges, failing, nobody, well};
use awc::http::Method;
use serde_json::{Value, json};
use service::testing::Running;
use std::time::Instant;
use tempfile::TempDir;

/// Orders with a real inventory of ten pieces of A, and payments with this script.
struct Scene {
    orders: Api,
    inventory: Http,
    payments: Peer,
    _running: Running,
    _directory: TempDir,
}

impl Scene {
    async fn with(script: Script) -> Self {
        let directory = directory();
        let running = inventory(&directory).await;
        let payments = Peer::start(script);
        let orders = Api::start(
            &directory,
            settings(),
            &[running.address],
            &[payments.address],
        )
        .await;
        let inventory = Http::new(&running.url);
        let item = json!({"name": "Test item", "price_cents": 250, "stock": 10});
        assert_eq!(inventory.put("/inventory/items/A", item).await.status, 200);
        Self {
            orders,
            inventory,
            payments,
            _running: running,
            _directory: directory,
        }
    }

    async fn counts(&self) -> (Value, Value) {
        let item = self.inventory.get("/inventory/items/A").await.body;
        (item["stock"].clone(), item["reserved"].clone())
    }

    /// The only order, once it is in this status.
    async fn until(&self, status: &str) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let order = self.orders.the_order().await;
            if order["status"] == status {
                return order;
            }
            assert!(Instant::now() < until, "last seen: {order}");
        }
    }
}

#[actix_web::test]
async fn without_inventory_and_without_knowledge_of_it_nothing_is_charged() {
    let directory = directory();
    let payments = Peer::start(well);
    let orders = Api::start(&directory, settings(), &[nobody()], &[payments.address]).await;
    let refused = orders.order(&[("A", 1)]).await;
    assert_eq!(refused.problem(), (503, "stock_unknown", ""));
    assert!(refused.retry_after.is_some());
    assert_eq!(orders.the_order().await["status"], "rejected");
    assert!(payments.asked().is_empty());
}

#[actix_web::test]
async fn without_payments_the_stock_comes_back() {
    let directory = directory();
    let running = inventory(&directory).await;
    let orders = Api::start(&directory, settings(), &[running.address], &[nobody()]).await;
    let refused = orders.order(&[("LAMP-OIL", 1)]).await;
    assert_eq!(
        (refused.status, refused.text("code")),
        (503, "payments_unavailable"),
        "a refused connection hides no charge"
    );
    let item = Http::new(&running.url)
        .get("/inventory/items/LAMP-OIL")
        .await
        .body;
    assert_eq!(item["reserved"], 0);
}

#[actix_web::test]
async fn a_charge_that_is_never_answered_is_refunded() {
    let scene = Scene::with(deaf_to_charges).await;
    let refused = scene.orders.order(&[("A", 4)]).await;
    assert_eq!(refused.problem(), (503, "payments_unavailable", ""));
    let order = scene.until("rejected").await;
    let id = order["id"].as_str().unwrap();
    assert_eq!(
        scene.payments.asked(),
        [
            "POST /payments".to_owned(),
            format!("POST /payments/{id}/refund")
        ]
    );
    assert_eq!(scene.counts().await, (json!(10), json!(0)));
}

#[actix_web::test]
async fn an_order_that_cannot_be_undone_now_is_undone_later_by_itself() {
    let scene = Scene::with(failing).await;
    let refused = scene.orders.order(&[("A", 4)]).await;
    assert_eq!(refused.problem(), (503, "payments_unavailable", ""));
    let order = scene.orders.the_order().await;
    assert_eq!(
        (&order["status"], &order["reason"]),
        (&json!("cancelling"), &json!("payments_unavailable"))
    );
    assert_eq!(
        scene.counts().await,
        (json!(10), json!(0)),
        "the stock came back all the same"
    );

    scene.payments.becomes(well);
    let order = scene.until("rejected").await;
    let id = order["id"].as_str().unwrap();
    let asked = scene.payments.asked();
    assert_eq!(asked.last(), Some(&format!("POST /payments/{id}/refund")));
    let charges = asked.iter().filter(|asked| *asked == "POST /payments");
    assert_eq!(charges.count(), 1, "the way back does not charge");
}

#[actix_web::test]
async fn an_order_that_was_cancelled_on_its_way_back_stays_cancelled_for_its_key() {
    let scene = Scene::with(failing).await;
    let refused = scene.orders.order_once("once", "me", &[("A", 4)]).await;
    assert_eq!(refused.problem(), (503, "payments_unavailable", ""));
    let order = scene.orders.the_order().await;
    let id = order["id"].as_str().unwrap();
    let until = Instant::now() + PATIENCE;
    while scene.orders.cancel(id).await.status != 202 {
        // The reconciler may be at it.
        assert!(Instant::now() < until, "it is agreed, and undone later");
    }

    scene.payments.becomes(well);
    scene.until("cancelled").await;
    let again = scene.orders.order_once("once", "me", &[("A", 4)]).await;
    assert_eq!(again.text("status"), "cancelled");
    let asked = scene.payments.asked();
    let charges = asked.iter().filter(|asked| *asked == "POST /payments");
    assert_eq!(
        charges.count(),
        1,
        "nobody is charged for what was cancelled"
    );
}

#[actix_web::test]
async fn an_order_comes_to_its_end_when_its_client_has_left() {
    let scene = Scene::with(deaf_to_charges).await;
    let body = wish(&[("A", 4)]).to_string();
    let hurried = [("x-request-timeout-ms", "200")];
    let late = scene
        .orders
        .http
        .send(Method::POST, "/orders", body, &hurried)
        .await;
    assert_eq!(late.problem(), (504, "deadline_exceeded", ""));
    let order = scene.until("rejected").await;
    assert_eq!(order["reason"], "deadline_exceeded");
    assert_eq!(scene.counts().await, (json!(10), json!(0)));
    assert_eq!(
        scene.payments.asked().len(),
        2,
        "charged at most, then refunded"
    );
}
