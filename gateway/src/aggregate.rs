//! Answers that the gateway puts together: a user's profile and the shop's dashboard. Health is in `aggregate/health.rs`, the description of the API in `openapi.rs`.
//!
//! The branches run side by side under the route's deadline, each tried again where the rule for retries allows it.
//! A branch that fails leaves its part out: 200 with `partial`, the missing parts named, and `X-Gateway-Complete: false`.
//! A profile without its user is nobody's: a client's error there is the answer. When every branch failed, the first failure is.

pub mod gaps;
pub mod health;

use std::{rc::Rc, time::Instant};

use actix_web::HttpResponse;
use futures_util::future::join;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use upstream::{Deadline, call::Made};
use utoipa::ToSchema;

use self::gaps::{Gaps, Joined};
use crate::{
    auth::Principal,
    error::{Error, Origin},
    exchange::Exchange,
    gateway::{ORDERS, USERS, Worker},
    openapi,
    recent::Step,
    route::Aggregate,
    route::table::Match,
};

#[derive(Serialize, ToSchema)]
pub(crate) struct Profile {
    /// As users tells it.
    #[schema(value_type = Option<Object>)]
    user: Option<Value>,
    /// The newest, as orders tells them.
    #[schema(value_type = Option<Vec<Object>>)]
    orders: Option<Vec<Value>>,
    total_orders: Option<u64>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Dashboard {
    total_users: Option<u64>,
    total_orders: Option<u64>,
    pending_orders: Option<u64>,
    completed_orders: Option<u64>,
    /// In cents, as all money here.
    total_revenue: Option<i64>,
}

#[derive(Deserialize)]
struct OrderList {
    items: Vec<Value>,
    total: u64,
}

#[derive(Deserialize)]
struct UserStats {
    total_users: u64,
}

#[derive(Deserialize)]
struct OrderStats {
    total_orders: u64,
    pending_orders: u64,
    completed_orders: u64,
    total_revenue_cents: i64,
}

/// Answers a route of the gateway's own.
pub async fn answer(
    worker: &Rc<Worker>,
    kind: Aggregate,
    found: &Match<'_, '_>,
    principal: Option<&Principal>,
    exchange: &Exchange<'_>,
) -> Result<HttpResponse, Error> {
    let now = Instant::now();
    let deadline = Deadline::after(exchange.started, found.route.timeout);
    let waited = now.saturating_duration_since(exchange.started);
    let branches = Branches {
        worker,
        exchange,
        principal,
        deadline,
        late: deadline.leaves_too_little(waited, now),
    };
    let captured = found.captured.unwrap_or_default();
    match kind {
        Aggregate::Profile => profile(&branches, captured).await,
        Aggregate::Dashboard => dashboard(&branches).await,
        Aggregate::Health => Ok(health::all(&worker.gateway)),
        Aggregate::ServiceHealth => health::one(&worker.gateway, captured),
        Aggregate::Openapi => openapi::answer(worker, branches.deadline).await,
    }
}

/// What a branch needs to know of the request.
pub(crate) struct Branches<'a> {
    worker: &'a Worker,
    exchange: &'a Exchange<'a>,
    principal: Option<&'a Principal>,
    deadline: Deadline,
    /// More of the time went by before them than is left: running out of it is no service's failure.
    late: bool,
}

/// What has no id of its own is no user, whatever answered: `/users/stats` is not the user `stats`.
fn nobody(id: &str) -> Error {
    Error::Upstream(upstream::Error {
        origin: upstream::Origin::Upstream,
        code: "not_found".into(),
        status: 404,
        written: true,
        retry_after: None,
        detail: format!("there is no user {id}"),
        field: None,
    })
}

/// A user and their orders.
#[utoipa::path(
    get,
    path = "/profile",
    params(("id" = String, Path, description = "A user's id")),
    responses(
        (status = 200, description = "What is there of it", body = Joined<Profile>),
        (status = 404, description = "`not_found`"),
    )
)]
pub(crate) async fn profile(branches: &Branches<'_>, id: &str) -> Result<HttpResponse, Error> {
    let (user, orders) = (format!("/users/{id}"), format!("/orders/user/{id}"));
    let (user, orders) = join(
        branches.get(USERS, &user),
        branches.get::<OrderList>(ORDERS, &orders),
    )
    .await;
    let user = user.and_then(|user: Value| {
        if user["id"] == id {
            Ok(user)
        } else {
            Err(nobody(id))
        }
    });
    if let Err(error) = &user
        && error.facts().origin == Origin::Client
    {
        return user.map(|_: Value| HttpResponse::Ok().finish());
    }
    let mut gaps = Gaps::new("profile", &branches.worker.gateway.metrics);
    let user = gaps.part("user", user);
    let (orders, total_orders) = gaps
        .part("orders", orders)
        .map(|list| (list.items, list.total))
        .unzip();
    gaps.join(
        2,
        Profile {
            user,
            orders,
            total_orders,
        },
    )
}

/// The shop in five numbers.
#[utoipa::path(
    get,
    path = "/dashboard",
    responses((status = 200, description = "What is there of it", body = Joined<Dashboard>))
)]
pub(crate) async fn dashboard(branches: &Branches<'_>) -> Result<HttpResponse, Error> {
    let users = branches.get::<UserStats>(USERS, "/users/stats");
    let orders = branches.get::<OrderStats>(ORDERS, "/orders/stats");
    let (users, orders) = join(users, orders).await;
    let mut gaps = Gaps::new("dashboard", &branches.worker.gateway.metrics);
    let users = gaps.part("users", users);
    let orders = gaps.part("orders", orders);
    let orders = orders.as_ref();
    let dashboard = Dashboard {
        total_users: users.map(|users| users.total_users),
        total_orders: orders.map(|orders| orders.total_orders),
        pending_orders: orders.map(|orders| orders.pending_orders),
        completed_orders: orders.map(|orders| orders.completed_orders),
        total_revenue: orders.map(|orders| orders.total_revenue_cents),
    };
    gaps.join(2, dashboard)
}

impl Branches<'_> {
    /// One branch, tried again elsewhere by the gateway's rule for retries.
    async fn get<T: DeserializeOwned>(&self, service: &str, path: &str) -> Result<T, Error> {
        let (upstream, transport) = self.worker.upstream(service);
        let tell = |made: Made<'_>| self.exchange.tried(Step::of(&upstream.name, &made));
        let request = transport
            .calls
            .get(path)
            .subject(self.principal.map(|who| &*who.subject))
            .scopes(self.principal.map(|who| &*who.scopes))
            .deadline(self.deadline)
            .too_late(self.late)
            .retried_by(&self.worker.gateway.retry)
            .telling(&tell);
        request.send().await.map_err(Error::Upstream)
    }
}
