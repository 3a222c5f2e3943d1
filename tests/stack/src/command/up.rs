//! `cargo stack up`: brings the system up, tells where it is, stays until Ctrl-C, and leaves nothing behind.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stack::{Addresses, Builder, Client, Error, Reporter, Stack};

use super::signal::Signals;
use crate::cli::Up;
use crate::say;

const FAULTS: &str = "LICTOR_FAULTS__ENABLED";

pub async fn run(flags: Up) -> Result<ExitCode, Error> {
    let before_main = since_command();
    let begin = Instant::now();
    let mut signals = Signals::listen()?;

    let starting = wishes(&flags).start();
    let stack = tokio::select! {
        stack = starting => stack?,
        () = signals.next() => {
            // Dropping the start kills what it had started.
            say::note("interrupted while starting; nothing is left running");
            return Ok(ExitCode::FAILURE);
        }
    };
    let faults = flags
        .set
        .iter()
        .all(|one| one.key != FAULTS || one.value == "true");
    say::line(&screen(&stack, before_main, begin, faults).await);

    tokio::select! {
        () = signals.next() => say::note("\ndraining (again to end at once)"),
        () = stack.ended() => say::note("draining, asked by another shell"),
    }
    let begin = Instant::now();
    let killed = tokio::select! {
        killed = stack.stop() => killed,
        () = signals.next() => {
            say::note("ended at once");
            return Ok(ExitCode::FAILURE);
        }
    };
    if killed.is_empty() {
        say::note(&format!(
            "everything drained and ended in {:.1} s",
            begin.elapsed().as_secs_f64()
        ));
        return Ok(ExitCode::SUCCESS);
    }
    say::error(&format!(
        "had to kill what did not end in time: {}",
        killed.join(", ")
    ));
    Ok(ExitCode::FAILURE)
}

fn wishes(flags: &Up) -> Builder {
    let mut wishes = Stack::builder()
        .state("stack")
        .instances(flags.instances)
        .gateways(flags.gateways)
        .zones(flags.zones.clone())
        .build(!flags.no_build)
        .show_build(true)
        .fresh(flags.fresh)
        .well_known_ports(true)
        // A native run is there to be broken; what is shipped refuses faults.
        .set(FAULTS, "true")
        .reporter(Reporter::new(|line| say::note(&line)));
    if let Some(endpoint) = &flags.otlp {
        wishes = wishes.otlp(endpoint);
    }
    wishes = wishes.with(flags.with.iter().copied());
    if let Some(folder) = &flags.binaries {
        wishes = wishes.binaries(folder).build(false);
    }
    flags
        .set
        .iter()
        .fold(wishes, |wishes, setting| match &setting.service {
            Some(service) => wishes.set_for(service, &setting.key, &setting.value),
            None => wishes.set(&setting.key, &setting.value),
        })
}

/// The few lines that a person needs; of faults only where nobody set them otherwise.
async fn screen(stack: &Stack, before_main: Duration, begin: Instant, faults: bool) -> String {
    let keys = stack.keys();
    let at = stack.gateway().addresses;
    let timings = stack.timings();
    let curl = format!("curl -H 'X-API-Key: {}'", keys.demo);
    let order = order(&stack.load_client()).await;
    let seconds = |time: Duration| time.as_secs_f64();
    let count = stack.instances().count();
    let whole = before_main + begin.elapsed();
    let watching = stack
        .companions()
        .units()
        .map(|(unit, address)| format!("  {:11}http://{address}", unit.name()));
    let watching: Vec<String> = watching.collect();
    let moved = if at.public.port() == Addresses::WELL_KNOWN_PUBLIC {
        ""
    } else {
        "   (the usual ports are taken)"
    };
    let lines = [
        String::new(),
        format!(
            "Lictor is up: {count} instances, registered, passing, each seen by all that need it ({:.1} s)",
            seconds(whole)
        ),
        format!(
            "first answer through the gateway {:.1} s after the command (cargo {:.1}, build {:.1}; Consul's leader at {:.1}, all passing at {:.1}, all seen at {:.1})",
            seconds(before_main + timings.first_answer),
            seconds(before_main),
            seconds(timings.built),
            seconds(before_main + timings.consul),
            seconds(before_main + timings.registered),
            seconds(before_main + timings.settled),
        ),
        String::new(),
        format!(
            "  gateway    http://{}   ops http://{}   admin http://{}{moved}",
            at.public, at.ops, at.admin
        ),
        format!(
            "  live       http://{}/   (topology, breakers, limits, the last requests)",
            at.admin
        ),
        format!("  consul     {}/ui", stack.consul().url()),
    ];
    let rest = [
        format!("  logs       {}", stack.place().logs().display()),
        format!("  keys       {}  {}  admin token {}", keys.demo, keys.load, keys.admin_token),
        String::new(),
        format!("  {curl} http://{}/api/inventory/items", at.public),
        format!("  {curl} http://{}/api/dashboard", at.public),
        format!("  {curl} -H 'Content-Type: application/json' -d '{order}' http://{}/api/orders", at.public),
        String::new(),
        "another shell: cargo stack status | kill users-a1 | restart users-a1 | zone down a | load | trace".to_owned(),
    ];
    let faults = faults.then_some(
        "faults are enabled here: cargo stack fault inventory latency --ms 2000 --for 30s",
    );
    let end = faults
        .into_iter()
        .chain(["Ctrl-C drains and ends everything"]);
    let end = end.map(str::to_owned);
    let all: Vec<String> = lines
        .into_iter()
        .chain(watching)
        .chain(rest)
        .chain(end)
        .collect();
    all.join("\n")
}

/// An order that this shop can fill.
async fn order(client: &Client) -> Value {
    let first = async |path: &str, field: &str| {
        let body = client
            .get(path)
            .await
            .map(|answer| answer.json())
            .unwrap_or_default();
        let list = body
            .as_object()
            .and_then(|page| page.values().find_map(Value::as_array))
            .or(body.as_array())
            .cloned();
        list.and_then(|list| list.first().map(|entry| entry[field].clone()))
            .unwrap_or_else(|| json!("?"))
    };
    json!({
        "user_id": first("/api/users?limit=1", "id").await,
        "items": [{ "sku": first("/api/inventory/items?limit=1", "sku").await, "quantity": 1 }],
    })
}

/// How long ago the command was given: `cargo run` replaces itself with this program, whose age is therefore cargo's (Linux).
fn since_command() -> Duration {
    /// Fixed by the kernel's interface to programs.
    const TICKS_A_SECOND: f64 = 100.0;
    let age = || -> Option<f64> {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        let born: f64 = stat
            .rsplit_once(')')?
            .1
            .split_whitespace()
            .nth(22 - 3)?
            .parse()
            .ok()?;
        let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
        let now: f64 = uptime.split_whitespace().next()?.parse().ok()?;
        Some(now - born / TICKS_A_SECOND)
    };
    Duration::from_secs_f64(age().unwrap_or(0.0).max(0.0))
}
