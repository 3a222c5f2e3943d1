//! One stretch of the drill: the collector is well, then it is not, then it is again, all of it under load.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use tokio::time::Instant;

use super::super::ground::{Ground, pass};
use super::lost::{Lost, lost};
use super::wire::Wire;
use crate::binaries::GATEWAY;
use crate::error::Error;
use crate::instance::Instance;
use crate::load::{Load, Report};
use crate::sink::Sink;
use crate::wait;

/// Latencies of new connections are not the baseline, nor what came of the fault before.
const SETTLING: Duration = Duration::from_secs(3);

/// A route whose every request is traced by gateway and service.
const ASKED: &str = "/api/users?limit=1";
/// Batches leave after a second; a trace that is not there by then was lost with the last of the fault.
const ONE_TAKES: Duration = Duration::from_secs(3);
/// Whoever is not heard of by then is not sending.
const LONGEST: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Connections are refused.
    Down,
    /// Connections are accepted and never answered.
    Hung,
}

/// What was seen, in times of its load.
#[derive(Debug)]
pub struct Stretch {
    pub fault: Fault,
    pub report: Report,
    pub quiet: Range<Duration>,
    pub sick: Range<Duration>,
    /// By the gateway, and by all services together.
    pub lost: [Lost; 2],
    /// From the mending to the first trace of a request made after it.
    pub back: Option<Duration>,
    /// Resident KiB of each process, at the end of the quiet time and of the fault.
    pub memory: [BTreeMap<String, u64>; 2],
}

impl Stretch {
    pub async fn pass(
        ground: &Ground,
        (wire, sink): (&mut Wire, &Sink),
        load: Load,
        fault: Fault,
        lasts: Duration,
    ) -> Result<Self, Error> {
        pass(SETTLING + lasts).await;
        let (before, quiet) = (lost(ground).await?, memory(ground));
        let begin = load.elapsed();
        ground.mark(&load, format!("collector {fault}"));
        match fault {
            Fault::Down => wire.cut().await,
            Fault::Hung => wire.hang(),
        }
        pass((begin + lasts).saturating_sub(load.elapsed())).await;
        let end = load.elapsed();
        let (after, sick) = (lost(ground).await?, memory(ground));
        ground.mark(&load, "collector back");
        wire.mend().await?;
        let back = back(ground, sink).await;
        Ok(Self {
            fault,
            report: load.end().await,
            quiet: SETTLING..begin,
            sick: begin..end,
            lost: [after[0].since(before[0]), after[1].since(before[1])],
            back,
            memory: [quiet, sick],
        })
    }
}

/// A request's own trace may be lost while queues are still full, so another one is made then.
async fn back(ground: &Ground, sink: &Sink) -> Option<Duration> {
    let (begin, client) = (Instant::now(), ground.load_client());
    let seen = wait::until("a new trace", LONGEST, || async {
        let answer = client.get(ASKED).await.map_err(|why| why.to_string())?;
        let id = answer.header("traceresponse").unwrap_or_default();
        let arrived = wait::until("its trace", ONE_TAKES, || async {
            let trace = sink.trace(id).ok_or("nothing of it")?;
            let of_gateway = trace.spans.iter().any(|span| span.service == GATEWAY);
            of_gateway.then_some(()).ok_or("a part of it".to_owned())
        });
        arrived.await.map_err(|why| why.to_string())
    });
    seen.await.ok().map(|()| begin.elapsed())
}

fn memory(ground: &Ground) -> BTreeMap<String, u64> {
    let resident =
        |one: &Instance| Some((one.name().to_owned(), one.unit.process()?.resident_kib()?));
    ground.instances().filter_map(resident).collect()
}

impl std::fmt::Display for Fault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Down => "down",
            Self::Hung => "hung",
        })
    }
}
