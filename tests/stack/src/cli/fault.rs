//! The flags of `cargo stack fault`, and the fault that they mean.
//!
//! Only what was given is sent: which settings a kind takes is checked by the service, so that it is said in one place.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Fault {
    #[command(subcommand)]
    pub what: Option<FaultVerb>,
    /// A service (all its running instances) or one instance
    #[arg(required = true, value_name = "SERVICE|INSTANCE")]
    pub whom: Option<String>,
    /// What is to go wrong
    #[arg(required = true, value_enum)]
    pub kind: Option<Kind>,
    /// latency: the wait; drip: the pause after each byte; database: the wait of each statement
    #[arg(long, value_name = "N")]
    pub ms: Option<u32>,
    /// latency: either way around --ms
    #[arg(long, value_name = "N")]
    pub jitter_ms: Option<u32>,
    /// error: the status, 400 to 599
    #[arg(long, value_name = "N")]
    pub status: Option<u16>,
    /// health: what /readyz says, whatever is true
    #[arg(long, value_name = "BOOL")]
    pub ready: Option<bool>,
    /// Of requests, or of statements
    #[arg(long, value_name = "N")]
    pub percent: Option<u8>,
    /// Requests of this method alone
    #[arg(long)]
    pub method: Option<String>,
    /// Requests whose path, as the service sees it, begins so
    #[arg(long, value_name = "PREFIX")]
    pub path: Option<String>,
    /// After this it is over by itself: 30, 30s, 5m; at most an hour
    #[arg(long = "for", default_value = "30s", value_name = "TIME", value_parser = seconds)]
    pub for_s: u32,
}

#[derive(Debug, Subcommand)]
pub enum FaultVerb {
    /// What is broken on purpose now
    List,
    /// End the faults of a service or an instance, or all
    Clear {
        #[arg(value_name = "SERVICE|INSTANCE")]
        whom: Option<String>,
    },
}

/// As the services name them.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Kind {
    /// Requests wait
    Latency,
    /// Requests are answered with an error
    Error,
    /// Requests get no answer
    Hang,
    /// Answers trickle
    Drip,
    /// /readyz lies
    Health,
    /// No connection to the store is left
    Connections,
    /// Each statement waits
    Database,
    /// Nothing listens
    Down,
}

impl Fault {
    /// As the admin API takes it.
    pub fn to_json(&self) -> Value {
        let kind = self
            .kind
            .and_then(|kind| kind.to_possible_value())
            .map(|kind| kind.get_name().to_owned());
        let fields = [
            ("kind", json!(kind)),
            ("ms", json!(self.ms)),
            ("jitter_ms", json!(self.jitter_ms)),
            ("status", json!(self.status)),
            ("ready", json!(self.ready)),
            ("percent", json!(self.percent)),
            ("method", json!(self.method)),
            ("path", json!(self.path)),
            ("for_s", json!(self.for_s)),
        ];
        let given = fields.into_iter().filter(|(_, value)| !value.is_null());
        Value::Object(
            given
                .map(|(key, value)| (key.to_owned(), value))
                .collect::<Map<_, _>>(),
        )
    }
}

fn seconds(text: &str) -> Result<u32, String> {
    let (number, unit) = match text.strip_suffix('m') {
        Some(minutes) => (minutes, 60),
        None => (text.strip_suffix('s').unwrap_or(text), 1),
    };
    let number: u32 = number
        .parse()
        .map_err(|_| format!("{text} is no time such as 30s or 5m"))?;
    number
        .checked_mul(unit)
        .filter(|seconds| (1..=3600).contains(seconds))
        .ok_or_else(|| "must be 1 second to 1 hour".to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::{Cli, Verb};
    use super::*;
    use clap::Parser as _;

    fn parsed(line: &str) -> Result<Fault, clap::Error> {
        let words = ["cargo stack", "fault"].into_iter().chain(line.split(' '));
        match Cli::try_parse_from(words)?.verb {
            Verb::Fault(fault) => Ok(*fault),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_given_is_what_is_sent() {
        for (line, sent) in [
            (
                "inventory latency --ms 2000",
                json!({"kind": "latency", "ms": 2000, "for_s": 30}),
            ),
            (
                "orders-a1 error --status 503 --percent 50 --for 2m",
                json!({"kind": "error", "status": 503, "percent": 50, "for_s": 120}),
            ),
            (
                "users health --ready false --for 5",
                json!({"kind": "health", "ready": false, "for_s": 5}),
            ),
            (
                "users hang --method POST --path /users",
                json!({"kind": "hang", "method": "POST", "path": "/users", "for_s": 30}),
            ),
        ] {
            assert_eq!(parsed(line).unwrap().to_json(), sent, "{line}");
        }
        assert_eq!(parsed("orders-a1 down").unwrap().whom.unwrap(), "orders-a1");
    }

    #[test]
    fn list_and_clear_need_no_kind() {
        assert!(matches!(
            parsed("list").unwrap().what,
            Some(FaultVerb::List)
        ));
        let Some(FaultVerb::Clear { whom }) = parsed("clear inventory").unwrap().what else {
            panic!("clear is a verb");
        };
        assert_eq!(whom.unwrap(), "inventory");
    }

    #[test]
    fn nonsense_is_refused_before_anything_is_asked() {
        for line in [
            "inventory",
            "inventory melt",
            "inventory hang --for 2h",
            "inventory hang --for 0",
            "inventory hang --for 61m",
            "inventory error --percent 300",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
