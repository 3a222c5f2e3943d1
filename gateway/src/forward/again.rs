//! An answer that may serve more than its own request: others who ask the same now, and whoever asks when nobody can answer.
//!
//! Reads without a key, which are all on routes that keep nothing, pass straight through.

use std::{sync::Arc, time::Instant};

use actix_web::{
    HttpResponse,
    body::{BoxBody, MessageBody as _},
    http::{Method, StatusCode},
};

use crate::{
    aggregate::gaps::X_GATEWAY_COMPLETE,
    coalesce::{Flight, Joined},
    error::Error,
    exchange::Exchange,
    forward::{self, hop::Answered, hop::Hop, upload::Source},
    gateway::Gateway,
    kept::{Kept, key::Key},
    proxy::Asked,
};

/// Forwards, unless somebody else's answer is there first; remembers what comes.
pub async fn forward(
    hop: &Hop<'_>,
    source: &Source,
    key: Option<&Key>,
    exchange: &mut Exchange<'_>,
) -> Result<HttpResponse, Error> {
    let Some(key) = key.filter(|_| hop.request.method() == Method::GET) else {
        let answered = forward::forward(hop, source, exchange).await;
        return answered.map(Answered::into_response);
    };
    let flight = match join(hop, key).await {
        Ok(flight) => flight,
        Err(kept) => {
            exchange.shared = true;
            return Ok(kept.to_response());
        }
    };
    let answered = forward::forward(hop, source, exchange).await;
    let whole = match &answered {
        Ok(Answered::Whole(kept)) => Some(kept.clone()),
        _ => None,
    };
    if let Some(flight) = flight {
        flight.land(whole.clone());
    }
    if hop.route.last_good.is_some() {
        remember(hop, key, &answered, whole);
    }
    answered.map(Answered::into_response)
}

/// The flight to lead, if others may follow it, or the answer of the one that was followed.
async fn join<'a>(hop: &Hop<'a>, key: &Key) -> Result<Option<Flight<'a>>, Arc<Kept>> {
    if !hop.route.coalesce {
        return Ok(None);
    }
    let now = Instant::now();
    // Who leads may have begun before the breaker opened, and wait for what is slow: nobody waits with them now.
    if hop.upstream.pool.held_back(now).is_some() {
        return Ok(None);
    }
    let patience = now + hop.deadline.remaining(now).unwrap_or_default() / 2;
    match hop.gateway.flights.join(key, patience).await {
        Joined::Lead(flight) => Ok(Some(flight)),
        Joined::Shared(kept) => Err(kept),
        Joined::Alone => Ok(None),
    }
}

/// Remembers an answer of the gateway's own, if it is a whole one.
pub fn remember_own(
    gateway: &Gateway,
    asked: &Asked<'_>,
    answer: Result<HttpResponse, Error>,
) -> Result<HttpResponse, Error> {
    let last_good = &gateway.fallbacks.last_good;
    let Some(key) = asked
        .key
        .as_ref()
        .filter(|_| asked.route.last_good.is_some())
    else {
        return answer;
    };
    let answer = answer.inspect_err(|error| {
        let status = StatusCode::from_u16(error.facts().status);
        last_good.passed(key, status.expect("facts name a status"));
    })?;
    let complete = answer.headers().get(X_GATEWAY_COMPLETE);
    if complete.is_none_or(|complete| complete != "true") {
        return Ok(answer);
    }
    let (head, body) = answer.into_parts();
    Ok(match body.try_into_bytes() {
        Ok(body) => {
            let kept = Kept::new(&head, body.clone());
            if body.len() as u64 <= last_good.answer_bytes {
                last_good.keep(key, Arc::new(kept), Instant::now());
            }
            head.set_body(BoxBody::new(body))
        }
        Err(body) => head.set_body(body),
    })
}

fn remember(
    hop: &Hop<'_>,
    key: &Key,
    answered: &Result<Answered, Error>,
    whole: Option<Arc<Kept>>,
) {
    let last_good = &hop.gateway.fallbacks.last_good;
    match (whole, answered) {
        (Some(kept), _) => last_good.keep(key, kept, Instant::now()),
        (None, Ok(Answered::Flowing(answer))) => last_good.passed(key, answer.status()),
        (None, _) => {}
    }
}
