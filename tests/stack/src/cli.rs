//! The command line: every verb and its flags, with the words that `--help` shows.

mod fault;
mod k6;

pub use fault::{Fault, FaultVerb};
pub use k6::K6;

use clap::{Args, Parser, Subcommand};

/// Lictor as native processes: Consul, five services in two zones, the gateway.
#[derive(Debug, Parser)]
#[command(
    name = "cargo stack",
    bin_name = "cargo stack",
    version,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Build what changed, start everything, and stay until Ctrl-C
    Up(Up),
    /// End the run that another shell started
    Down,
    /// What runs, where, and what Consul thinks of it
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// SIGKILL an instance (or consul)
    Kill { instance: String },
    /// Freeze an instance (or consul): SIGSTOP
    Pause { instance: String },
    /// Thaw it: SIGCONT
    Resume { instance: String },
    /// Start an instance again on the same ports; one that lives is drained first
    Restart { instance: String },
    /// All services of a zone at once
    Zone {
        #[command(subcommand)]
        what: Zone,
    },
    /// Break a service or an instance on purpose, for a while
    Fault(Box<Fault>),
    /// The Consul agent, for drills
    Consul {
        #[command(subcommand)]
        what: Consul,
    },
    /// The tree of a trace; without an id the newest traces
    Trace {
        /// A trace id, or a whole traceparent
        id: Option<String>,
    },
    /// Constant-rate load on the running gateway
    Load(Load),
    /// A fault under load on a system of its own, and whether the promise held; `drill list` names them
    Drill(Drill),
    /// A k6 scenario against the run of `cargo stack up`, with its promises; `k6 list` names them
    K6(K6),
    /// What CI runs: formatting, lints, licences, tests, and the real system end to end
    Test(Test),
    /// Which tools are here, and the line that brings what is missing
    Doctor {
        /// Get this tool now
        #[arg(long, value_name = "NAME")]
        fetch: Option<String>,
    },
}

#[derive(Debug, Args)]
pub struct Up {
    /// Instances of each service in each zone
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub instances: usize,
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub gateways: usize,
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "a,b",
        value_name = "NAMES"
    )]
    pub zones: Vec<String>,
    /// Start what is built, whether it is up to date or not
    #[arg(long)]
    pub no_build: bool,
    /// Throw away the databases of earlier runs
    #[arg(long)]
    pub fresh: bool,
    /// Send traces to this collector (OTLP over HTTP) instead of keeping them in memory
    #[arg(long, value_name = "URL")]
    pub otlp: Option<String>,
    /// What watches it: jaeger (which then takes the traces) or jaeger-sampled (which keeps those of interest and a share of the rest), prometheus
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub with: Vec<stack::companions::Companion>,
    /// Run these binaries, whatever they are (the runner's own tests do)
    #[arg(long, hide = true, value_name = "FOLDER")]
    pub binaries: Option<std::path::PathBuf>,
    /// A setting for every process, or for one service or instance: [NAME:]SECTION__KEY=VALUE
    #[arg(long, value_name = "SETTING", value_parser = setting)]
    pub set: Vec<Setting>,
}

/// `--set orders:FAULTS__ENABLED=true`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub service: Option<String>,
    pub key: String,
    pub value: String,
}

#[derive(Debug, Subcommand)]
pub enum Zone {
    /// Kill every service of the zone
    Down { zone: String },
    /// Start them again on their ports
    Up { zone: String },
}

#[derive(Debug, Subcommand)]
pub enum Consul {
    /// SIGKILL
    Kill,
    /// SIGSTOP
    Pause,
    /// SIGCONT
    Resume,
    /// Start it again
    Start {
        /// With an empty disk
        #[arg(long)]
        wipe: bool,
    },
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Profile {
    /// Browse, look at things, profiles, the dashboard: GET only
    Shop,
}

#[derive(Debug, Args)]
pub struct Load {
    /// Requests a second, at most 10000: a generator in one process can pace no more honestly
    #[arg(long, default_value_t = 200.0, value_parser = rate)]
    pub rate: f64,
    #[arg(long, default_value_t = 60.0, value_parser = duration)]
    pub seconds: f64,
    #[arg(long, value_enum, default_value = "shop")]
    pub profile: Profile,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Drill {
    /// One of `cargo stack drill list`, or `all`
    pub name: String,
    /// Seconds instead of minutes, as in CI
    #[arg(long)]
    pub short: bool,
    /// How often the fault is repeated
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: Option<u32>,
    /// Length of the main phase
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub seconds: Option<u32>,
    /// Requests a second
    #[arg(long, value_parser = rate)]
    pub rate: Option<f64>,
    /// Requests in all, where a drill counts them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub count: Option<u32>,
    /// Start what is built, whether it is up to date or not
    #[arg(long)]
    pub no_build: bool,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Test {
    /// Only this step
    #[arg(long, value_name = "STEP")]
    pub only: Option<String>,
    /// What takes longer or needs more, too: compose, on a machine with a Docker engine
    #[arg(long)]
    pub full: bool,
}

fn setting(text: &str) -> Result<Setting, String> {
    let (name, value) = text.split_once('=').ok_or("expected SECTION__KEY=VALUE")?;
    let (service, key) = match name.split_once(':') {
        Some((service, key)) => (Some(service.to_owned()), key),
        None => (None, name),
    };
    let key = format!("LICTOR_{}", key.strip_prefix("LICTOR_").unwrap_or(key));
    Ok(Setting {
        service,
        key,
        value: value.to_owned(),
    })
}

fn rate(text: &str) -> Result<f64, String> {
    up_to(10_000.0, text)
}

/// Every load stops by itself, within the day.
fn duration(text: &str) -> Result<f64, String> {
    up_to(86_400.0, text)
}

/// Of a minute or two: an hour is long enough.
fn factor(text: &str) -> Result<f64, String> {
    up_to(60.0, text)
}

fn up_to(most: f64, text: &str) -> Result<f64, String> {
    let number: f64 = text
        .parse()
        .map_err(|_| format!("{text} is not a number"))?;
    if number > 0.0 && number <= most {
        Ok(number)
    } else {
        Err(format!("must be above 0 and at most {most}"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn a_setting_may_name_a_service() {
        let one = setting("orders:FAULTS__ENABLED=a=b").unwrap();
        assert_eq!(
            (
                one.service.unwrap().as_str(),
                one.key.as_str(),
                one.value.as_str()
            ),
            ("orders", "LICTOR_FAULTS__ENABLED", "a=b")
        );
        assert_eq!(
            setting("LICTOR_CONSUL__X=1").unwrap().key,
            "LICTOR_CONSUL__X"
        );
        assert!(setting("nothing").is_err());
    }
}
