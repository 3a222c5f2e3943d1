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
        let mut before = 0;
        let whole = wait::until("the trace", ON_ITS_WAY, || {
            let trace = sink.trace(id);
            let (now, last) = (trace.as_ref().map_or(0, |trace| trace.spans.len()), before);
            before = now;
            async move {
                if now > 0
                    && now == last
                    && trace.as_ref().is_some_and(|trace| trace.roots().len() == 1)
                {
                    return trace.ok_or_else(String::new);
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
                Err(format!("{now} spans"))
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
        let elsewhere =
            || Error::Other("traces go to the collector that was configured; ask there".to_owned());
        self.collector().ok_or_else(elsewhere)
    }
}
