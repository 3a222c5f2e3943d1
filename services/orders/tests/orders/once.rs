//! Thousands of orders with keys over wires that break, from processes that are killed: each key is
//! one order, and orders, reservations and payments agree. (A process that is killed here takes its
//! runtime with it while the database is in use; that sqlx says so on stderr is no failure.)

use crate::api::{Api, PATIENCE, directory, inventory, payments, settings_but, wish};
use crate::client::Http;
use crate::flaky::Flaky;
use awc::http::Method;
use futures_util::future::join_all;
use serde_json::{Value, json};
use service::testing::Running;
use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const KEYS: usize = 1_000;
const CLIENTS: usize = 16;
/// One request in so many is cut off on its way to orders, and on the way from there.
const ONE_IN: u32 = 15;
const ONE_IN_BEHIND: u32 = 25;
/// Instances killed on the way, in turns.
const KILLED: usize = 6;
/// More tries than luck can use up.
const MOST_TRIES: usize = 200;

/// Two instances of orders, each behind a wire that breaks, as are what they call.
struct World {
    stock: Running,
    money: Running,
    wires_behind: Vec<Flaky>,
    wires: Vec<Flaky>,
    orders: RefCell<Vec<Option<Api>>>,
    clients: Vec<Http>,
    done: Cell<usize>,
    directory: TempDir,
}

impl World {
    async fn with(seed: u64) -> Self {
        let directory = directory();
        let (stock, money) = (inventory(&directory).await, payments(&directory).await);
        let mut wires_behind = Vec::new();
        for (turn, target) in [stock.address, stock.address, money.address, money.address]
            .into_iter()
            .enumerate()
        {
            let seed = seed + 10 + turn as u64;
            wires_behind.push(Flaky::before(target, ONE_IN_BEHIND, seed).await);
        }
        let mut world = Self {
            stock,
            money,
            wires_behind,
            wires: Vec::new(),
            orders: RefCell::default(),
            clients: Vec::new(),
            done: Cell::new(0),
            directory,
        };
        for turn in 0..2 {
            let api = world.start().await;
            let wire = Flaky::before(api.address(), ONE_IN, seed + turn).await;
            world
                .clients
                .push(Http::new(&format!("http://{}", wire.address)));
            world.wires.push(wire);
            world.orders.borrow_mut().push(Some(api));
        }
        world
    }

    async fn start(&self) -> Api {
        let settings = settings_but(&[("orders.claim_ms", 500), ("idempotency.wait_ms", 500)]);
        let behind = &self.wires_behind;
        let stock = [behind[0].address, behind[1].address];
        let money = [behind[2].address, behind[3].address];
        Api::start(&self.directory, settings, &stock, &money).await
    }

    /// Asks until there is an order; answers its id.
    async fn order(&self, key: usize) -> String {
        let body = wish(&[("LAMP-OIL", 1 + (key % 3) as i64)]).to_string();
        let name = format!("key-{key}");
        let headers = [("idempotency-key", &*name), ("x-auth-subject", "ada")];
        for attempt in 0..MOST_TRIES {
            let client = &self.clients[(key + attempt) % 2];
            let sent = client.try_send(Method::POST, "/orders", body.clone(), &headers);
            match sent.await {
                Some(answer) if [201, 202].contains(&answer.status) => {
                    return answer.text("id").to_owned();
                }
                Some(answer) => {
                    let passing = [409, 503, 504].contains(&answer.status);
                    assert!(
                        passing && answer.text("code") != "out_of_stock",
                        "{answer:?}"
                    );
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                None => {}
            }
        }
        panic!("{name} got no order");
    }

    /// One client after another key, and every fourth order asked for again.
    async fn client(&self, number: usize) {
        for key in (0..KEYS).skip(number).step_by(CLIENTS) {
            let id = self.order(key).await;
            if key % 4 == 0 {
                assert_eq!(self.order(key).await, id, "another order for key {key}");
            }
            self.done.set(self.done.get() + 1);
        }
    }

    /// Kills an instance now and then; another takes its place.
    async fn killer(&self) {
        for turn in 1..=KILLED {
            while self.done.get() < turn * KEYS / (KILLED + 1) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            drop(self.orders.borrow_mut()[turn % 2].take());
            let api = self.start().await;
            self.wires[turn % 2].leads_to(api.address());
            self.orders.borrow_mut()[turn % 2] = Some(api);
        }
    }

    /// What there is once nothing is on its way any more.
    async fn settled(&self) -> Value {
        let api = self.start().await;
        let until = Instant::now() + PATIENCE;
        loop {
            let stats = api.http.get("/orders/stats").await.body;
            let unsettled = ["accepted", "pending_inventory_check", "cancelling"];
            if unsettled
                .iter()
                .all(|status| stats["by_status"][status].is_null())
            {
                return stats;
            }
            assert!(Instant::now() < until, "last seen: {stats}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn every_key_is_one_order(seed: u64) {
    let world = World::with(seed).await;
    let (stock, money) = (Http::new(&world.stock.url), Http::new(&world.money.url));
    let before = stock.get("/inventory/items/LAMP-OIL").await.body["stock"].clone();
    let clients = join_all((0..CLIENTS).map(|number| world.client(number)));
    tokio::join!(clients, world.killer());
    let orders = world.settled().await;

    let cuts: usize = world
        .wires
        .iter()
        .chain(&world.wires_behind)
        .map(Flaky::cut)
        .sum();
    assert!(
        cuts > KEYS / 10,
        "seed {seed}: the wires hardly broke: {cuts}"
    );
    let pieces: i64 = (0..KEYS).map(|key| 1 + (key % 3) as i64).sum();
    let cents = orders["by_status"]["confirmed"]["cents"].clone();
    assert_eq!(
        (&orders["total_orders"], &orders["by_status"]),
        (
            &json!(KEYS),
            &json!({"confirmed": {"orders": KEYS, "cents": cents}})
        ),
        "seed {seed}"
    );
    let paid = money.get("/payments/stats").await.body;
    assert_eq!(
        paid["captured"],
        json!({"payments": KEYS, "cents": cents}),
        "seed {seed}"
    );
    let reserved = stock.get("/inventory/reservations/stats").await.body;
    assert_eq!(
        reserved["confirmed"],
        json!({"reservations": KEYS, "pieces": pieces, "cents": cents}),
        "seed {seed}"
    );
    assert_eq!(
        (
            &reserved["held"]["reservations"],
            &reserved["items"]["reserved"]
        ),
        (&json!(0), &json!(0))
    );
    let after = stock.get("/inventory/items/LAMP-OIL").await.body["stock"].clone();
    assert_eq!(before.as_i64().unwrap() - after.as_i64().unwrap(), pieces);
}

#[actix_web::test]
async fn a_thousand_keys_over_breaking_wires_are_a_thousand_orders() {
    every_key_is_one_order(1).await;
}

#[actix_web::test]
async fn another_thousand_keys_over_breaking_wires_are_a_thousand_orders() {
    every_key_is_one_order(2).await;
}
