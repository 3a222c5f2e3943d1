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
    /// The filter, and what applies it: it can be changed for as long as that is there.
    ///
    /// # Errors
    /// When `text` is not a filter.
    pub fn new(text: &str) -> Result<(Self, reload::Layer<EnvFilter, Registry>), Error> {
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

/// Field values are compared as they are: a pattern can take minutes and gigabytes to compile, and an operator's text
/// arrives on the thread that keeps the process alive.
fn parse(text: &str) -> Result<EnvFilter, Error> {
    let filter = EnvFilter::builder().with_regex(false).parse(text);
    filter.map_err(|error| Error::Filter {
        filter: text.to_owned(),
        reason: error.to_string(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use tracing::level_filters::LevelFilter;
    use tracing_subscriber::layer::Filter;

    use super::*;

    /// What the filter lets through at most. Not `enabled!`: the interest it caches is shared with
    /// the subscribers of tests that run at the same time.
    fn most(filter: &impl Filter<Registry>) -> Option<LevelFilter> {
        filter.max_level_hint()
    }

    #[test]
    fn a_filter_changes_while_running_and_a_bad_one_changes_nothing() {
        let (filter, reloadable) = LogFilter::new("info").unwrap();
        assert_eq!(most(&reloadable), Some(LevelFilter::INFO));
        filter.set("warn,telemetry=debug").unwrap();
        assert_eq!(most(&reloadable), Some(LevelFilter::DEBUG));
        filter.set("telemetry=loud=very").unwrap_err();
        assert_eq!(most(&reloadable), Some(LevelFilter::DEBUG));
        assert!(filter.get().contains("telemetry=debug"), "{}", filter.get());
    }
}
