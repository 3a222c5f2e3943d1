//! How soon a killed instance was ejected.
//!
//! Measured from the first request that began after its death and needed a second attempt: a request that was under way then was reset, which ejects nobody.
//! It is counted from that request's intended start, so it is an upper bound; instances that the gateway never asked (another zone, only called by services) have none.
//! Reads of the victim's service count: an order is also tried again because of what happened behind the instance that had it.

use std::time::Duration;

use tokio::time::Instant;

use super::super::findings::Findings;
use super::super::ground::{Ground, pass};
use super::super::metrics;
use super::super::terms::Terms;
use crate::error::Error;
use crate::instance::Instance;
use crate::load::{Load, ORDER_PLAIN, ORDER_WITH_KEY, Outcome, Slice};

/// What is promised.
const EJECTED_WITHIN: Duration = Duration::from_millis(100);

/// Short terms hold the time of an ejection where a victim was asked this often, in requests a second: a request that the dying instance still reset is then followed by a refused one well within the promise.
const OFTEN: f64 = 30.0;
/// How often it was asked is counted over this time before its death.
const BEFORE: Duration = Duration::from_secs(2);

/// Requests of the journey meet every local instance far sooner.
const WATCHED: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(10);

/// An ejection, in times of the load.
pub struct Ejected {
    /// Consul's id of the victim, which begins with its service.
    pub id: String,
    pub service: &'static str,
    pub killed: Duration,
    /// When it was seen to be dead; it died between the two.
    pub dead: Duration,
    pub out: Duration,
}

/// When the gateway ejected it, if it did soon.
pub async fn ejected(
    ground: &Ground,
    victim: &Instance,
    load: &Load,
    killed: Duration,
) -> Result<Option<Duration>, Error> {
    let address = victim.addresses.public.to_string();
    let end = Instant::now() + WATCHED;
    while Instant::now() < end {
        // The view's "ago" ends somewhere between these two; the earlier one adds no wait of ours to the time of the ejection.
        let asked = load.elapsed();
        let view = metrics::view(ground.gateway(), "/upstreams").await?;
        let told = load.elapsed();
        let found = view["upstreams"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|upstream| upstream["endpoints"].as_array().into_iter().flatten())
            .find(|endpoint| endpoint["address"] == address.as_str());
        let Some(endpoint) = found else {
            return Ok(None);
        };
        let ago = endpoint["last_transition"]["ago_ms"].as_u64();
        if endpoint["ejection"] == "open"
            && let Some(ago) = ago.map(Duration::from_millis)
            && told.saturating_sub(ago) >= killed
        {
            return Ok(Some(asked.saturating_sub(ago).max(killed)));
        }
        pass(LOOK).await;
    }
    Ok(None)
}

/// From the first request that met the dead instance until it was out.
pub fn soon(findings: &mut Findings, terms: &Terms, all: &Slice<'_>, ejections: &[Ejected]) {
    let lag = |one: &Ejected| {
        let met = |from: Duration| {
            let its = |request: &Outcome| {
                let by = request.instance.as_deref().unwrap_or_default();
                by.starts_with(one.service)
                    && ![ORDER_PLAIN, ORDER_WITH_KEY].contains(&request.route)
            };
            let met = |request: &Outcome| {
                request.attempts > 1 && its(request) && (from..=one.out).contains(&request.at)
            };
            all.only(met).iter().map(|request| request.at).min()
        };
        // One that began while it died may have ejected it as well.
        let first = met(one.dead).or_else(|| met(one.killed))?;
        Some(one.out - first)
    };
    let often = |one: &&Ejected| {
        let before = all.during(one.dead.saturating_sub(BEFORE)..one.dead);
        let its = before.only(|request| request.instance.as_deref() == Some(one.id.as_str()));
        !terms.short || its.count() as f64 >= OFTEN * BEFORE.as_secs_f64()
    };
    let lags: Vec<Duration> = ejections.iter().filter(often).filter_map(lag).collect();
    let most = lags.iter().max().copied().unwrap_or_default();
    findings.timed_promise(
        "ejected after the first refused connection",
        "<= 100 ms",
        format!("at most {:.0} ms", most.as_secs_f64() * 1e3),
        lags.len(),
        most <= EJECTED_WITHIN,
    );
    let after = ejections.iter().map(|one| one.out - one.killed).max();
    findings.tell(
        "ejected after the kill",
        format!(
            "at most {:.0} ms",
            after.unwrap_or_default().as_secs_f64() * 1e3
        ),
        ejections.len(),
    );
}
