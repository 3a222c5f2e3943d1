//! The shop on PostgreSQL answers as it does on SQLite: the same requests, the same statuses and bodies.
//!
//! What differs from run to run by nature is written in its place: an id is the n-th of its kind that was seen, a time is a time.

mod server;

use std::collections::BTreeMap;

use hyper::Method;
use serde_json::{Value, json};
use stack::binaries::SERVICES;
use stack::{Client, client};

use super::system::System;
use server::Server;

/// Two customers that users is seeded with.
const ADA: &str = "usr_01937c6e-5a00-7000-8000-0000000000a1";
const BEN: &str = "usr_01937c6e-5a00-7000-8000-0000000000b2";

/// What differs from run to run, and no answer of the domain.
const OF_THE_MOMENT: [&str; 3] = ["trace_id", "request_id", "instance"];

/// Everything that was asked and what came back, in order.
type Said = Vec<(String, u16, Value)>;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL (apt-get install postgresql): cargo stack test --full"]
async fn the_shop_answers_on_postgresql_as_it_does_on_sqlite() {
    let embedded = System::start("sqlite").await;
    let expected = everything(&embedded).await;
    embedded.stop().await;

    let server = Server::start().await;
    let system = System::with("postgres", |wishes| {
        SERVICES.iter().fold(wishes, |wishes, service| {
            wishes.set_for(*service, "LICTOR_STORE__URL", server.url(service))
        })
    })
    .await;
    let said = everything(&system).await;
    let stored = server.ask("orders", "SELECT count(*) FROM orders");
    system.stop().await;

    println!("{} requests; {stored} orders in PostgreSQL", said.len());
    assert_eq!(stored, "24");
    for (one, other) in expected.iter().zip(&said) {
        assert_eq!(one, other, "SQLite left, PostgreSQL right");
    }
    assert_eq!(expected.len(), said.len());
}

/// A day in the shop: what is written, read, refused, paged, cancelled and added up.
async fn everything(system: &System) -> Said {
    let mut asker = Asker::new(system.load_client());
    for path in [
        "/api/users",
        "/api/users/stats",
        "/api/inventory/items",
        "/api/orders",
    ] {
        asker.get(path).await;
    }
    let item = json!({ "name": "Ünïcode λ, \"quoted\"", "price_cents": 700, "stock": 21 });
    asker.put("/api/inventory/items/NEW-ITEM", &item).await;
    asker.put("/api/inventory/items/a%20b", &item).await;
    let user = json!({ "name": "Ωmega", "email": "omega@example.org", "password": "correct horse battery" });
    asker.post("/api/users", &user).await;
    asker.post("/api/users", &user).await;

    for (turn, buyer) in [ADA, BEN].into_iter().cycle().take(20).enumerate() {
        asker
            .once(&format!("key-{turn}"), &order(buyer, "NEW-ITEM", 1))
            .await;
    }
    asker.once("key-3", &order(BEN, "NEW-ITEM", 1)).await;
    asker.once("key-3", &order(BEN, "NEW-ITEM", 2)).await;
    asker.once("key-20", &order(ADA, "NEW-ITEM", 9)).await;
    for wish in [
        order(ADA, "NO-SUCH-ITEM", 1),
        order(ADA, "NEW-ITEM", 0),
        order(ADA, "NEW-ITEM", 1),
        order(ADA, "NEW-ITEM", 1),
        json!({ "user_id": ADA, "items": [] }),
    ] {
        asker.post("/api/orders", &wish).await;
    }

    for path in [
        "/api/orders",
        "/api/orders?limit=7",
        "/api/orders?limit=0",
        "/api/orders/stats",
        &format!("/api/orders/user/{ADA}"),
        &format!("/api/orders/user/{BEN}?limit=3"),
        "/api/orders/user/nobody",
        "/api/orders/ord_01937c6e-5a00-7000-8000-00000000dead",
        "/api/orders/%27%20OR%201=1",
        "/api/inventory/items/NEW-ITEM",
        "/api/inventory/items?limit=3",
        "/api/payments/stats",
        &format!("/api/recommendations/{ADA}"),
        &format!("/api/users/{BEN}/profile"),
    ] {
        asker.get(path).await;
    }
    let first = asker.first_order().await;
    asker.get(&format!("/api/orders/{first}")).await;
    asker.delete(&format!("/api/orders/{first}")).await;
    asker.delete(&format!("/api/orders/{first}")).await;
    asker
        .put(
            &format!("/api/orders/{first}/status"),
            &json!({ "status": "shipped" }),
        )
        .await;
    for path in [
        "/api/orders/stats",
        "/api/payments/stats",
        "/api/inventory/items/NEW-ITEM",
    ] {
        asker.get(path).await;
    }
    asker.said
}

fn order(buyer: &str, sku: &str, quantity: u32) -> Value {
    json!({ "user_id": buyer, "items": [{ "sku": sku, "quantity": quantity }] })
}

/// Asks, and writes down what was said.
struct Asker {
    client: Client,
    /// The ids that were seen, by their kind.
    ids: BTreeMap<String, Vec<String>>,
    said: Said,
}

impl Asker {
    fn new(client: Client) -> Self {
        Self {
            client,
            ids: BTreeMap::new(),
            said: Vec::new(),
        }
    }

    async fn get(&mut self, path: &str) {
        self.ask(Method::GET, path, None, &[]).await;
    }

    async fn put(&mut self, path: &str, body: &Value) {
        self.ask(Method::PUT, path, Some(body), &[]).await;
    }

    async fn post(&mut self, path: &str, body: &Value) {
        self.ask(Method::POST, path, Some(body), &[]).await;
    }

    async fn delete(&mut self, path: &str) {
        self.ask(Method::DELETE, path, None, &[]).await;
    }

    /// An order with a key.
    async fn once(&mut self, key: &str, order: &Value) {
        let headers = [("idempotency-key", key)];
        self.ask(Method::POST, "/api/orders", Some(order), &headers)
            .await;
    }

    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) {
        let asked = self
            .client
            .call(method.clone(), path, body, headers, client::LIMIT);
        let answer = asked
            .await
            .unwrap_or_else(|failure| panic!("{method} {path}: {failure}"));
        let mut said = answer.json();
        self.timeless("", &mut said);
        let asked = self.named(&format!("{method} {path} {}", body.unwrap_or(&Value::Null)));
        self.said.push((asked, answer.status, said));
    }

    /// The id of the newest order in the list; it is not compared.
    async fn first_order(&mut self) -> String {
        let listed = self.client.get("/api/orders").await.unwrap().json();
        listed["items"][0]["id"].as_str().unwrap().to_owned()
    }

    fn timeless(&mut self, name: &str, value: &mut Value) {
        match value {
            Value::Array(all) => all.iter_mut().for_each(|one| self.timeless(name, one)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    self.timeless(name, value);
                }
            }
            _ if OF_THE_MOMENT.contains(&name) || name.ends_with("_at_ms") => {
                *value = Value::from("of the moment");
            }
            Value::String(text) => *text = self.named(text),
            _ => {}
        }
    }

    /// Each id in the text is replaced by its kind and its number.
    fn named(&mut self, text: &str) -> String {
        let mut named = String::new();
        let mut rest = text;
        while let Some((kind, at, id)) = first_id(rest) {
            let seen = self.ids.entry(kind.to_owned()).or_default();
            let number = seen.iter().position(|one| one == id).unwrap_or(seen.len());
            if number == seen.len() {
                seen.push(id.to_owned());
            }
            named.push_str(&rest[..at]);
            named.push_str(&format!("{kind} {number}"));
            rest = &rest[at + id.len()..];
        }
        named + rest
    }
}

/// A prefix of three letters, `_`, and a UUID; where it begins.
fn first_id(text: &str) -> Option<(&str, usize, &str)> {
    const LENGTH: usize = 4 + 36;
    let begins = ["usr_", "ord_", "pay_"].map(|prefix| text.find(prefix));
    let at = begins.into_iter().flatten().min()?;
    let id = text.get(at..at + LENGTH)?;
    Some((&id[..3], at, id))
}
