//! The flags of `cargo stack k6`.

use clap::Args;

#[derive(Debug, Args)]
pub struct K6 {
    /// A scenario of `k6/`, or `list`
    pub name: String,
    /// Names the run in Prometheus and on the dashboards
    #[arg(long, value_name = "ID")]
    pub testid: Option<String>,
    /// Leave out what Prometheus would be asked at the end; without one this is the only way to run
    #[arg(long)]
    pub no_facts: bool,
    /// Journeys a second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rate: Option<u32>,
    /// Stretches every phase: 0.5 halves them
    #[arg(long, value_name = "FACTOR", value_parser = super::factor)]
    pub scale: Option<f64>,
    /// For `k6 run` itself, after `--`
    #[arg(last = true, value_name = "K6 ARGUMENTS")]
    pub extra: Vec<String>,
}
