//! What people do in the shop, in proportion: browse most, look at one thing often, look at a whole profile or the dashboard sometimes; and order, where a load wants that.
//!
//! The ids are those of the running shop, read before the load begins; a shop without orders gets a few.
//! Each order of a load has a buyer of its own, so that the orders' own list tells afterwards how often each was placed.

use std::time::Duration;

use hyper::Method;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use serde_json::{Value, json};

use crate::client::Client;
use crate::error::Error;

/// Requests of each route in a hundred, about as a shop sees them.
const MIX: &[(&str, usize)] = &[
    ("browse", 30),
    ("user", 15),
    ("one order", 15),
    ("stock", 15),
    ("recommendation", 10),
    ("profile", 10),
    ("dashboard", 5),
];

/// Enough different orders that no single one is always in a cache.
const ORDERS: usize = 10;

/// The route of orders that carry an `Idempotency-Key`, and of those that do not.
pub const ORDER_WITH_KEY: &str = "order+key";
pub const ORDER_PLAIN: &str = "order";

/// One request.
#[derive(Clone, Debug)]
pub struct Step {
    pub route: &'static str,
    pub method: Method,
    pub path: String,
    pub body: Option<Value>,
    /// The `Idempotency-Key`.
    pub key: Option<String>,
}

/// Which requests, in which order; the same for the same shop.
#[derive(Clone, Debug)]
pub struct Journey {
    kinds: Vec<Kind>,
    buyers: Buyers,
}

#[derive(Clone, Debug)]
enum Kind {
    Look(Step),
    /// An order of one piece.
    Buy {
        sku: String,
        with_key: bool,
    },
}

/// Users of which each orders once; those of two journeys are others.
#[derive(Clone, Copy, Debug)]
pub struct Buyers(u64);

impl Step {
    pub fn get(route: &'static str, path: impl Into<String>) -> Self {
        Self {
            route,
            method: Method::GET,
            path: path.into(),
            body: None,
            key: None,
        }
    }

    /// Whether it may be sent again by whoever does not know what became of it.
    pub fn idempotent(&self) -> bool {
        self.method == Method::GET || self.key.is_some()
    }
}

impl Buyers {
    pub fn new() -> Self {
        Self(rand::random())
    }

    /// The id of the buyer of order `number`.
    pub fn id(self, number: u32) -> String {
        let run = self.0;
        format!(
            "usr_{:08x}-{:04x}-{:04x}-8000-{number:012x}",
            run >> 32,
            (run >> 16) & 0xffff,
            run & 0xffff
        )
    }

    /// Order `number`: one piece, with or without a key.
    pub fn order(self, number: u32, sku: &str, with_key: bool) -> Step {
        let buyer = self.id(number);
        Step {
            route: if with_key {
                ORDER_WITH_KEY
            } else {
                ORDER_PLAIN
            },
            method: Method::POST,
            path: "/api/orders".to_owned(),
            body: Some(json!({ "user_id": buyer, "items": [{ "sku": sku, "quantity": 1 }] })),
            key: with_key.then_some(buyer),
        }
    }
}

impl Journey {
    /// Always the same steps, in turn.
    pub fn of(steps: Vec<Step>) -> Self {
        assert!(!steps.is_empty(), "a journey has at least one step");
        Self {
            kinds: steps.into_iter().map(Kind::Look).collect(),
            buyers: Buyers::new(),
        }
    }

    /// The same without other routes than these.
    pub fn only(mut self, routes: &[&str]) -> Self {
        self.kinds.retain(|kind| match kind {
            Kind::Look(step) => routes.contains(&step.route),
            Kind::Buy { .. } => true,
        });
        assert!(!self.kinds.is_empty(), "a journey has at least one step");
        self
    }

    /// The same with orders beside each hundred of its steps: so many with a key, so many without.
    pub async fn with_orders(
        mut self,
        client: &Client,
        with_key: usize,
        plain: usize,
    ) -> Result<Self, Error> {
        let items = skus(client).await?;
        let hundreds = self.kinds.len().div_ceil(100);
        for (count, with_key) in [(with_key, true), (plain, false)] {
            let orders = (0..count * hundreds).map(|number| Kind::Buy {
                sku: items[number % items.len()].clone(),
                with_key,
            });
            self.kinds.extend(orders);
        }
        self.kinds.shuffle(&mut StdRng::seed_from_u64(2));
        Ok(self)
    }

    /// Who orders in this journey.
    pub fn buyers(&self) -> Buyers {
        self.buyers
    }

    /// The shop's own mix, over the ids that it has now.
    pub async fn shop(client: &Client) -> Result<Self, Error> {
        let users = some(ids(client, "/api/users?limit=100", "id").await?, "users")?;
        let items = skus(client).await?;
        let mut orders = ids(client, "/api/orders?limit=100", "id").await?;
        while orders.len() < ORDERS {
            let number = orders.len();
            orders.push(
                order(
                    client,
                    &users[number % users.len()],
                    &items[number % items.len()],
                    number,
                )
                .await?,
            );
        }
        let mut deck: Vec<&'static str> = MIX
            .iter()
            .flat_map(|(route, count)| vec![*route; *count])
            .collect();
        // A fixed order, so that two runs send the same; shuffled, so that no second sees only one route.
        deck.shuffle(&mut StdRng::seed_from_u64(1));
        let steps = (0..deck.len() * 10).map(|number| {
            let route = deck[number % deck.len()];
            let one = |of: &[String]| of[number / 7 % of.len()].clone();
            let path = match route {
                "user" => format!("/api/users/{}", one(&users)),
                "one order" => format!("/api/orders/{}", one(&orders)),
                "stock" => format!("/api/inventory/items/{}", one(&items)),
                "recommendation" => format!("/api/recommendations/{}", one(&users)),
                "profile" => format!("/api/users/{}/profile", one(&users)),
                "dashboard" => "/api/dashboard".to_owned(),
                _ => "/api/inventory/items".to_owned(),
            };
            Step::get(route, path)
        });
        Ok(Self::of(steps.collect()))
    }

    pub fn step(&self, number: u32) -> Step {
        match &self.kinds[number as usize % self.kinds.len()] {
            Kind::Look(step) => step.clone(),
            Kind::Buy { sku, with_key } => self.buyers.order(number, sku, *with_key),
        }
    }
}

impl Default for Buyers {
    fn default() -> Self {
        Self::new()
    }
}

/// What can be ordered.
pub async fn skus(client: &Client) -> Result<Vec<String>, Error> {
    let items = ids(client, "/api/inventory/items?limit=100", "sku").await?;
    some(items, "items")
}

/// The ids in a page.
async fn ids(client: &Client, path: &str, field: &str) -> Result<Vec<String>, Error> {
    let answer = client
        .get(path)
        .await
        .map_err(|failure| Error::Other(format!("GET {path}: {failure}")))?;
    if answer.status != 200 {
        return Err(Error::Other(format!(
            "GET {path} answered {}: {}",
            answer.status,
            answer.text()
        )));
    }
    let body = answer.json();
    let list = body
        .as_array()
        .or_else(|| body.as_object()?.values().find_map(Value::as_array));
    Ok(list
        .into_iter()
        .flatten()
        .filter_map(|entry| entry[field].as_str())
        .map(str::to_owned)
        .collect())
}

fn some(ids: Vec<String>, what: &str) -> Result<Vec<String>, Error> {
    if ids.is_empty() {
        Err(Error::Other(format!(
            "the shop has no {what}, so there is nothing to ask for"
        )))
    } else {
        Ok(ids)
    }
}

async fn order(client: &Client, user: &str, sku: &str, number: usize) -> Result<String, Error> {
    let body = json!({ "user_id": user, "items": [{ "sku": sku, "quantity": 1 }] });
    let key = format!("load-{number}-{:016x}", rand::random::<u64>());
    let answer = client
        .call(
            Method::POST,
            "/api/orders",
            Some(&body),
            &[("idempotency-key", &key)],
            Duration::from_secs(10),
        )
        .await
        .map_err(|failure| Error::Other(format!("POST /api/orders: {failure}")))?;
    match answer.json()["id"].as_str() {
        Some(id) if (200..300).contains(&answer.status) => Ok(id.to_owned()),
        _ => Err(Error::Other(format!(
            "POST /api/orders answered {}: {}",
            answer.status,
            answer.text()
        ))),
    }
}
