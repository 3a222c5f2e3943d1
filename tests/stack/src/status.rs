//! What runs, as a table: each process, its addresses, its memory, and what Consul thinks of it.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::catalogue::seen;
use crate::consul;
use crate::stack::Stack;
use crate::unit::Unit;

/// One process of the run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    pub name: String,
    pub zone: String,
    pub state: String,
    pub pid: Option<u32>,
    pub public: Option<SocketAddr>,
    pub ops: Option<SocketAddr>,
    pub admin: Option<SocketAddr>,
    /// In Consul's catalogue; `absent` when it is not there, `?` when Consul did not answer.
    pub consul: String,
    pub resident_kib: Option<u64>,
    pub up_seconds: Option<u64>,
    pub starts: u32,
}

/// All of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Table(pub Vec<Row>);

impl Stack {
    pub async fn status(&self) -> Table {
        let registered = self.registered().await.ok();
        let mut rows: Vec<Row> = self
            .instances()
            .map(|instance| {
                let seen = registered.as_ref().map_or("?", |registered| {
                    seen(registered, instance.addresses.public)
                });
                let row = row(
                    &instance.unit,
                    &instance.zone,
                    Some(instance.addresses.public),
                    seen,
                );
                Row {
                    ops: Some(instance.addresses.ops),
                    admin: Some(instance.addresses.admin),
                    ..row
                }
            })
            .collect();
        rows.push(row(
            &self.consul().unit,
            "",
            Some(self.consul().address()),
            "",
        ));
        let watching = self.companions().units();
        let watching: Vec<Row> = watching
            .map(|(unit, address)| row(unit, "", Some(address), ""))
            .collect();
        rows.sort_by_key(|row| (row.name == consul::NAME, !row.name.starts_with("gateway")));
        rows.extend(watching);
        Table(rows)
    }
}

fn row(unit: &Unit, zone: &str, public: Option<SocketAddr>, consul: &str) -> Row {
    let process = unit.process();
    Row {
        name: unit.name().to_owned(),
        zone: zone.to_owned(),
        state: unit.state().to_string(),
        pid: process.as_ref().map(|process| process.pid()),
        public,
        ops: None,
        admin: None,
        consul: consul.to_owned(),
        resident_kib: process.as_ref().and_then(|process| process.resident_kib()),
        up_seconds: process.as_ref().map(|process| process.uptime().as_secs()),
        starts: unit.starts(),
    }
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|row| row.name.len()).max().unwrap_or(0) + 2;
        writeln!(
            out,
            "{:width$}{:6}{:10}{:10}{:18}{:18}{:18}{:>8}{:>10}{:>8}{:>8}",
            "NAME",
            "ZONE",
            "STATE",
            "CONSUL",
            "PUBLIC",
            "OPS",
            "ADMIN",
            "PID",
            "MEMORY",
            "UP",
            "STARTS"
        )?;
        for row in &self.0 {
            let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
            writeln!(
                out,
                "{:width$}{:6}{:10}{:10}{:18}{:18}{:18}{:>8}{:>10}{:>8}{:>8}",
                row.name,
                row.zone,
                row.state,
                row.consul,
                or_dash(row.public.map(|address| address.to_string())),
                or_dash(row.ops.map(|address| address.to_string())),
                or_dash(row.admin.map(|address| address.to_string())),
                or_dash(row.pid.map(|pid| pid.to_string())),
                or_dash(
                    row.resident_kib
                        .map(|kib| format!("{:.1} MB", kib as f64 * 1024.0 / 1e6))
                ),
                or_dash(row.up_seconds.map(|seconds| format!("{seconds} s"))),
                row.starts,
            )?;
        }
        let sum: u64 = self.0.iter().filter_map(|row| row.resident_kib).sum();
        write!(
            out,
            "{} processes, {:.0} MB",
            self.0.iter().filter(|row| row.pid.is_some()).count(),
            sum as f64 * 1024.0 / 1e6
        )
    }
}
