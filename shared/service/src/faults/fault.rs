//! What can be broken on purpose, and until when.
//!
//! A [`Fault`] is checked already: what it cannot mean it cannot hold. How it is written is in
//! `written.rs`, whom it strikes in `decide.rs`.

use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime};

/// No fault outlives this: who set it may be gone, and nobody debugs yesterday's drill.
pub const LONGEST: Duration = Duration::from_secs(3600);

/// The kinds, by the word that people write and metrics carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Requests wait before they are worked on.
    Latency,
    /// Requests are answered with an error instead of being worked on.
    Error,
    /// Requests are held until their caller gives up.
    Hang,
    /// Answers trickle out byte by byte.
    Drip,
    /// `/readyz` lies.
    Health,
    /// All connections to the store are held: statements wait for one in vain.
    Connections,
    /// Each statement outside a transaction, and each transaction, waits.
    Database,
    /// The public and the ops listener are closed, and every connection with them.
    Down,
}

/// One fault.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// What it does.
    pub effect: Effect,
    /// The share of requests (or statements) that it strikes, 1 to 100.
    pub percent: u8,
    /// The requests that it is for.
    pub only: Only,
    /// When it ends by itself.
    pub until: SystemTime,
}

/// What a fault does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Between `wait - jitter` and `wait + jitter`.
    Latency {
        /// The middle of the range.
        wait: Duration,
        /// Half of its width.
        jitter: Duration,
    },
    /// A problem with this status and the code `fault_injected`.
    Error {
        /// 400 to 599.
        status: u16,
    },
    /// No answer.
    Hang,
    /// One byte, then this long nothing.
    Drip {
        /// Between two bytes.
        every: Duration,
    },
    /// What `/readyz` says, whatever is true.
    Health {
        /// Whether it says that all is well.
        ready: bool,
    },
    /// No connection to the store is to be had.
    Connections,
    /// A slow database.
    Database {
        /// Before each statement or transaction.
        wait: Duration,
    },
    /// Nothing listens.
    Down,
}

/// The requests that a fault is for; by default all of the public listener.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Only {
    /// This method alone.
    pub method: Option<String>,
    /// Paths that begin so.
    pub path: Option<String>,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Latency,
        Self::Error,
        Self::Hang,
        Self::Drip,
        Self::Health,
        Self::Connections,
        Self::Database,
        Self::Down,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Error => "error",
            Self::Hang => "hang",
            Self::Drip => "drip",
            Self::Health => "health",
            Self::Connections => "connections",
            Self::Database => "database",
            Self::Down => "down",
        }
    }

    /// Whether it strikes requests of the public listener.
    pub fn strikes_requests(self) -> bool {
        matches!(self, Self::Latency | Self::Error | Self::Hang | Self::Drip)
    }

    /// Whether it strikes the store.
    pub fn strikes_store(self) -> bool {
        matches!(self, Self::Connections | Self::Database)
    }
}

impl Effect {
    /// Of which kind it is.
    pub fn kind(self) -> Kind {
        match self {
            Self::Latency { .. } => Kind::Latency,
            Self::Error { .. } => Kind::Error,
            Self::Hang => Kind::Hang,
            Self::Drip { .. } => Kind::Drip,
            Self::Health { .. } => Kind::Health,
            Self::Connections => Kind::Connections,
            Self::Database { .. } => Kind::Database,
            Self::Down => Kind::Down,
        }
    }
}

impl Fault {
    /// Of which kind it is.
    pub fn kind(&self) -> Kind {
        self.effect.kind()
    }
}

impl Only {
    /// Whether a request is meant.
    pub fn matches(&self, method: &str, path: &str) -> bool {
        self.method.as_deref().is_none_or(|only| only == method)
            && self
                .path
                .as_deref()
                .is_none_or(|only| path.starts_with(only))
    }
}
