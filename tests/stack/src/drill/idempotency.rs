//! F16: orders with an `Idempotency-Key` over a wire that resets connections at random bytes, while instances of orders are killed.
//!
//! Each key is sent again until it is answered, as a client must that cannot know what became of its request.
//! Afterwards the orders' own list tells how many orders each key made, and whether the answer named the one that is there.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::Method;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::audit::audited;
use super::findings::Findings;
use super::ground::{Ground, pass};
use super::ledger::Ledger;
use super::resetter::Resetter;
use super::terms::Terms;
use crate::client::{Answer, Client, Failure};
use crate::error::Error;
use crate::load::{Buyers, Step, skus};

/// An order and its answer are about 1.5 KB: on average one request in five is cut.
const MOST_BYTES: usize = 15_000;

/// A real client's; below the route's own total, so that some give up while the order is placed.
const LIMIT: Duration = Duration::from_millis(1500);
/// A key without an answer by then is lost: a claim of a dead instance ends after 10 s.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two tries with a key, at random below this.
const PAUSE_MS: u64 = 200;

/// Keys on their way at a time: what one machine's shop answers in less than a third of a slow call's second. When a
/// breaker closes, all of them come at once; 256 kept it opening again on a machine that was building beside it.
const AT_ONCE: usize = 64;

/// Killed in turn, each back before the next.
const VICTIMS: [&str; 3] = ["orders-a1", "orders-b1", "orders-a2"];
/// In seconds; the short drill must see some too.
const KILL_EVERY: (u32, u32) = (15, 3);

/// Whoever is killed in the middle of an order leaves it to the others.
const SETTLED_WITHIN: Duration = Duration::from_secs(45);

const TELL_EVERY: Duration = Duration::from_secs(30);

/// What became of the keys.
#[derive(Debug, Default)]
struct Tally {
    answered: Vec<(u32, String)>,
    refused: Vec<String>,
    given_up: Vec<String>,
}

/// What every key needs.
struct Sender {
    client: Client,
    buyers: Buyers,
    skus: Vec<String>,
    tries: AtomicU32,
    kills: AtomicU32,
    tally: Mutex<Tally>,
}

pub async fn run(terms: &Terms) -> Result<Findings, Error> {
    let (count, rate) = (terms.count(100_000, 2_000), terms.rate(240.0, 200.0));
    let every = Duration::from_secs(terms.seconds(KILL_EVERY.0, KILL_EVERY.1));
    let mut findings = Findings::of("idempotency");
    let ground = Ground::start("idempotency", terms).await?;
    let wire = Resetter::start(ground.gateway().addresses.public, MOST_BYTES).await?;
    let client = ground.load_client();
    let sender = Arc::new(Sender {
        client: Client::new(wire.address).with_key(&ground.keys().load),
        buyers: Buyers::new(),
        skus: skus(&client).await?,
        tries: AtomicU32::default(),
        kills: AtomicU32::default(),
        tally: Mutex::default(),
    });

    let begin = Instant::now();
    let sending = send_all(&sender, count, rate);
    let killed = tokio::select! {
        () = sending => None,
        broken = kill_in_turn(&ground, &sender, every) => Some(broken),
    };
    if let Some(Err(error)) = killed {
        return Err(error);
    }
    let took = begin.elapsed();
    let resets = wire.resets();
    drop(wire);
    ground.all_running().await?;

    let ledger = audited(&mut findings, &ground, SETTLED_WITHIN).await?;
    hold(&mut findings, &sender, &ledger, count);
    let tries = sender.tries.load(Ordering::Relaxed);
    findings.promise("connections reset", "> 0", resets, resets, resets > 0);
    let kills = sender.kills.load(Ordering::Relaxed);
    findings.tell("instances of orders killed", kills, kills as usize);
    findings.tell(
        "requests for each key",
        format!("{:.2}", f64::from(tries) / f64::from(count)),
        tries as usize,
    );
    findings.tell(
        "keys answered a second",
        format!(
            "{:.0} in {:.0} s",
            f64::from(count) / took.as_secs_f64(),
            took.as_secs_f64()
        ),
        count as usize,
    );
    ground.stop(&mut findings).await;
    Ok(findings)
}

/// Starts keys at this rate, each in a task of its own that does not end before its answer.
async fn send_all(sender: &Arc<Sender>, count: u32, rate: f64) {
    let (begin, period) = (Instant::now(), Duration::from_secs_f64(1.0 / rate));
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for number in 0..count {
        tokio::time::sleep_until(begin + period * number).await;
        let place = places.clone().acquire_owned().await;
        while running.try_join_next().is_some() {}
        let sender = sender.clone();
        running.spawn(async move {
            sender.until_answered(number).await;
            drop(place);
        });
    }
    while running.join_next().await.is_some() {}
}

/// Never ends by itself, but by an error.
async fn kill_in_turn(ground: &Ground, sender: &Sender, every: Duration) -> Result<(), Error> {
    let mut told = Instant::now();
    for name in VICTIMS.iter().cycle() {
        pass(every).await;
        ground.kill(name).await?;
        sender.kills.fetch_add(1, Ordering::Relaxed);
        ground.restart(name).await?;
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            let answered = sender.tally().answered.len();
            ground.say(format!("{answered} keys answered; {name} killed and back"));
        }
    }
    Ok(())
}

impl Sender {
    async fn until_answered(&self, number: u32) {
        let sku = &self.skus[number as usize % self.skus.len()];
        let step = self.buyers.order(number, sku, true);
        let end = Instant::now() + PATIENCE;
        loop {
            let result = self.send(&step).await;
            match &result {
                Ok(answer) if (200..300).contains(&answer.status) => {
                    let id = answer.json()["id"].as_str().unwrap_or_default().to_owned();
                    return self.tally().answered.push((number, id));
                }
                Ok(answer) if is_final(answer) => {
                    return self.tally().refused.push(told(&result));
                }
                _ if Instant::now() >= end => return self.tally().given_up.push(told(&result)),
                _ => pass(Duration::from_millis(rand::random_range(0..PAUSE_MS))).await,
            }
        }
    }

    async fn send(&self, step: &Step) -> Result<Answer, Failure> {
        self.tries.fetch_add(1, Ordering::Relaxed);
        let key = step.key.as_deref().unwrap_or_default();
        let headers = [("idempotency-key", key)];
        let body = step.body.as_ref();
        self.client
            .call(Method::POST, &step.path, body, &headers, LIMIT)
            .await
    }

    fn tally(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nothing that another try would change: the first one is still at it (409), the shop or the gateway is busy or sick (429, 5xx).
fn is_final(answer: &Answer) -> bool {
    let busy = answer.json()["code"] == "in_progress";
    (400..500).contains(&answer.status) && answer.status != 429 && !busy
}

fn told(result: &Result<Answer, Failure>) -> String {
    match result {
        Ok(answer) => format!("{} {}", answer.status, answer.text()),
        Err(failure) => failure.to_string(),
    }
}

fn hold(findings: &mut Findings, sender: &Sender, ledger: &Ledger, count: u32) {
    let keys = count as usize;
    let tally = sender.tally();
    let of = |number: u32| ledger.of(&sender.buyers.id(number));
    let duplicates = (0..count).filter(|number| of(*number).len() > 1).count();
    findings.promise(
        "keys that made two orders",
        "0",
        duplicates,
        keys,
        duplicates == 0,
    );
    let unlike = tally
        .answered
        .iter()
        .filter(|(number, id)| of(*number).iter().all(|entry| entry.id != *id))
        .count();
    findings.promise(
        "answers that name an order that is not there",
        "0",
        unlike,
        tally.answered.len(),
        unlike == 0,
    );
    let unanswered = tally.given_up.len() + tally.refused.len();
    findings.promise(
        "keys without an order in the end",
        "0",
        unanswered,
        keys,
        unanswered == 0,
    );
    for text in tally.given_up.iter().chain(&tally.refused).take(5) {
        findings.saw(format!("without an order: {text}"));
    }
}
