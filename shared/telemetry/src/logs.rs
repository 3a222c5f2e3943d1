//! What a log line looks like, and which lines there are.
//!
//! On a terminal lines are for people; elsewhere each is one JSON object for machines ([`JsonLines`]).
//! The filter can be changed while the process runs; it does not touch which spans are exported.

mod json;
mod redact;

use std::{io::IsTerminal, sync::Arc};

use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

pub use json::JsonLines;

use crate::{Error, LogFormat};

/// The log filter of a running process.
#[derive(Clone, Debug)]
pub struct LogFilter {
    handle: Arc<reload::Handle<EnvFilter, Registry>>,
}

impl LogFilter {
    /// The filter, and what applies it.
    pub(crate) fn new(text: &str) -> Result<(Self, reload::Layer<EnvFilter, Registry>), Error> {
        let (layer, handle) = reload::Layer::new(parse(text)?);
        Ok((
            Self {
                handle: Arc::new(handle),
            },
            layer,
        ))
    }

    /// Changes what is logged from now on: `info`, or `info,gateway=debug`.
    ///
    /// # Errors
    /// When `text` is not a filter; the old one stays.
    pub fn set(&self, text: &str) -> Result<(), Error> {
        self.handle
            .reload(parse(text)?)
            .map_err(|error| Error::Subscriber(error.to_string()))
    }

    /// What is logged, as a filter.
    pub fn get(&self) -> String {
        self.handle
            .with_current(ToString::to_string)
            .unwrap_or_default()
    }
}

/// Writes lines to stdout in the format asked for.
pub(crate) fn layer(format: LogFormat) -> Box<dyn Layer<Registry> + Send + Sync> {
    let pretty = match format {
        LogFormat::Auto => std::io::stdout().is_terminal(),
        LogFormat::Json => false,
        LogFormat::Pretty => true,
    };
    if pretty {
        fmt::layer()
            .with_ansi(std::io::stdout().is_terminal())
            .boxed()
    } else {
        fmt::layer().event_format(JsonLines).boxed()
    }
}

fn parse(text: &str) -> Result<EnvFilter, Error> {
    EnvFilter::try_new(text).map_err(|error| Error::Filter {
        filter: text.to_owned(),
        reason: error.to_string(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn a_filter_changes_while_running_and_a_bad_one_changes_nothing() {
        let (filter, reloadable) = LogFilter::new("info").unwrap();
        let subscriber =
            tracing_subscriber::registry().with(layer(LogFormat::Json).with_filter(reloadable));
        tracing::subscriber::with_default(subscriber, || {
            assert!(!tracing::enabled!(tracing::Level::DEBUG));
            filter.set("warn,telemetry=debug").unwrap();
            assert!(tracing::enabled!(tracing::Level::DEBUG));
            filter.set("telemetry=loud=very").unwrap_err();
            assert!(filter.get().contains("telemetry=debug"), "{}", filter.get());
        });
    }
}
