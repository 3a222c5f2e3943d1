//! Asking a run for its traces.

use std::time::Duration;

use super::{Sink, Trace};
use crate::error::Error;
use crate::stack::Stack;
use crate::wait;

/// Exporters send every few seconds; a trace asked for right after its request is on its way.
const ON_ITS_WAY: Duration = Duration::from_secs(10);

impl Stack {
    /// A trace as it is when no more of it arrives.
    pub async fn trace(&self, id: &str) -> Result<Trace, Error> {
        let sink = self.sink()?;
        let whole = wait::until("the whole trace", ON_ITS_WAY, || async {
            match sink.trace(id) {
                Some(trace) if trace.is_whole() => Ok(trace),
                Some(trace) => Err(format!("{} spans", trace.spans.len())),
                None => Err("nothing of it".to_owned()),
            }
        });
        match whole.await {
            Ok(trace) => Ok(trace),
            // Some of it may never come: what is there is worth more than an error.
            Err(_) => sink
                .trace(id)
                .ok_or_else(|| Error::NoTrace { id: id.to_owned() }),
        }
    }

    /// The newest traces, the newest first.
    pub fn traces(&self, count: usize) -> Result<Vec<Trace>, Error> {
        self.sink().map(|sink| sink.newest(count))
    }

    fn sink(&self) -> Result<&Sink, Error> {
        let elsewhere = || {
            let jaeger = self.companions().jaeger.as_ref();
            let place = jaeger.map_or("the collector that was configured".to_owned(), |jaeger| {
                format!("Jaeger, http://{}", jaeger.address())
            });
            Error::Other(format!("traces go to {place}; ask there"))
        };
        self.collector().ok_or_else(elsewhere)
    }
}
