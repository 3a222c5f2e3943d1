//! What people do in the shop, as GET requests in proportion: browse most, look at one thing often, look at a whole profile or the dashboard sometimes.
//!
//! The ids are those of the running shop, read before the load begins; a shop without orders gets a few.

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
    ("order", 15),
    ("stock", 15),
    ("recommendation", 10),
    ("profile", 10),
    ("dashboard", 5),
];

/// Enough different orders that no single one is always in a cache.
const ORDERS: usize = 10;

/// One request.
#[derive(Clone, Debug)]
pub struct Step {
    pub route: &'static str,
    pub path: String,
}

/// Which requests, in which order; the same for the same shop.
#[derive(Clone, Debug)]
pub struct Journey {
    steps: Vec<Step>,
}

impl Journey {
    /// Always the same steps, in turn.
    pub fn of(steps: Vec<Step>) -> Self {
        assert!(!steps.is_empty(), "a journey has at least one step");
        Self { steps }
    }

    /// The shop's own mix, over the ids that it has now.
    pub async fn shop(client: &Client) -> Result<Self, Error> {
        let users = some(ids(client, "/api/users?limit=100", "id").await?, "users")?;
        let items = some(
            ids(client, "/api/inventory/items?limit=100", "sku").await?,
            "items",
        )?;
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
                "order" => format!("/api/orders/{}", one(&orders)),
                "stock" => format!("/api/inventory/items/{}", one(&items)),
                "recommendation" => format!("/api/recommendations/{}", one(&users)),
                "profile" => format!("/api/users/{}/profile", one(&users)),
                "dashboard" => "/api/dashboard".to_owned(),
                _ => "/api/inventory/items".to_owned(),
            };
            Step { route, path }
        });
        Ok(Self {
            steps: steps.collect(),
        })
    }

    pub fn step(&self, number: u32) -> Step {
        self.steps[number as usize % self.steps.len()].clone()
    }
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
