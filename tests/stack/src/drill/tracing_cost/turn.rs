//! One gateway asked for a while: what it used, and how many of its spans arrived.

use std::time::Duration;

use super::super::ground::{Ground, pass};
use super::super::metrics::Metrics;
use crate::client::Client;
use crate::error::Error;
use crate::instance::Instance;
use crate::load::{Journey, Load, Plan, Report, Step};

/// Its answers are neither shared nor remembered: every request is forwarded.
const PATH: &str = "/api/users?limit=1";

/// Connections are made and caches are warm.
const WARM: Duration = Duration::from_secs(2);
/// The last batch has left: it belongs to what it was made of.
const EXPORTED: Duration = Duration::from_secs(2);

/// One way's part of a round.
pub struct Turn {
    pub report: Report,
    pub cpu: Duration,
    pub exported: f64,
}

impl Turn {
    pub async fn of(
        ground: &Ground,
        gateway: &Instance,
        rate: f64,
        lasts: Duration,
    ) -> Result<Self, Error> {
        let load = |duration| {
            let client = Client::new(gateway.addresses.public).with_key(&ground.keys().load);
            let journey = Journey::of(vec![Step::get("users", PATH)]);
            Load::start(Plan { rate, duration }, client, journey)
        };
        load(WARM).finish().await;
        pass(EXPORTED).await;
        let (cpu, exported) = (cpu(gateway)?, exported(gateway).await?);
        let report = load(lasts).finish().await;
        pass(EXPORTED).await;
        Ok(Self {
            report,
            cpu: self::cpu(gateway)? - cpu,
            exported: self::exported(gateway).await? - exported,
        })
    }

    /// Microseconds for a request.
    pub fn cost(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.report.requests.max(1) as f64
    }
}

fn cpu(gateway: &Instance) -> Result<Duration, Error> {
    let used = gateway.unit.process().and_then(|one| one.cpu_time());
    used.ok_or_else(|| Error::Other(format!("the CPU time of {} is not known", gateway.name())))
}

/// Spans that the collector took from it so far.
async fn exported(gateway: &Instance) -> Result<f64, Error> {
    let metrics = Metrics::of(gateway).await?;
    Ok(metrics.sum("lictor_spans_exported_total", &[("result", "ok")]))
}
